import { defineStore } from 'pinia'
import { ref, watch } from 'vue'
import { setLanguage, type Language } from '../i18n'
import { applyTheme, type ThemeName } from '../theme/tokens'

interface Saved {
  language?: Language
  theme?: ThemeName
  muted?: boolean
}

const storageKey = 'onemap.prefs'

/** Reads saved preferences; whatever is not understood counts as not saved. */
export function parsePrefs(text: string | null): Saved {
  try {
    const raw = JSON.parse(text ?? '{}') as Record<string, unknown>
    const saved: Saved = {}
    if (raw.language === 'zh' || raw.language === 'en') saved.language = raw.language
    if (raw.theme === 'dark' || raw.theme === 'light') saved.theme = raw.theme
    if (typeof raw.muted === 'boolean') saved.muted = raw.muted
    return saved
  } catch {
    return {}
  }
}

/** Language, theme and sound: the viewer's own, kept in this browser. A URL may override the first two. */
export const usePrefs = defineStore('prefs', () => {
  const saved = parsePrefs(localStorage.getItem(storageKey))
  const language = ref<Language>(saved.language ?? 'zh')
  const theme = ref<ThemeName>(saved.theme ?? 'dark')
  const muted = ref(saved.muted ?? false)

  watch(language, (next) => setLanguage(next), { immediate: true, flush: 'sync' })
  watch(theme, (next) => applyTheme(next), { immediate: true, flush: 'sync' })
  watch([language, theme, muted], () => {
    localStorage.setItem(
      storageKey,
      JSON.stringify({ language: language.value, theme: theme.value, muted: muted.value }),
    )
  })
  return { language, theme, muted }
})
