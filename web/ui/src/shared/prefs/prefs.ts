import { defineStore } from 'pinia'
import { computed, ref, watch, type Ref } from 'vue'
import { setLanguage, type Language } from '@/shared/i18n'
import { applyTheme, type ThemeName } from '@/shared/theme/tokens'

interface Saved {
  language?: Language
  theme?: ThemeName
  muted?: boolean
}

/** What a link says of how its page looks. */
export interface LinkPrefs {
  language: Language | null
  theme: ThemeName | null
}

const storageKey = 'onemap.prefs'

export const languageOf = (v: unknown): Language | null => (v === 'zh' || v === 'en' ? v : null)
export const themeOf = (v: unknown): ThemeName | null => (v === 'dark' || v === 'light' ? v : null)

/** Reads saved preferences; whatever is not understood counts as not saved. */
export function parsePrefs(text: string | null): Saved {
  try {
    const raw = JSON.parse(text ?? '{}') as Record<string, unknown>
    const saved: Saved = {}
    const language = languageOf(raw.language)
    const theme = themeOf(raw.theme)
    if (language) saved.language = language
    if (theme) saved.theme = theme
    if (typeof raw.muted === 'boolean') saved.muted = raw.muted
    return saved
  } catch {
    return {}
  }
}

/** Reads the language and the theme of a link's query; what it does not say is null. */
export function linkPrefs(query: Record<string, unknown>): LinkPrefs {
  const one = (v: unknown) => (Array.isArray(v) ? (v as unknown[])[0] : v)
  return { language: languageOf(one(query.lang)), theme: themeOf(one(query.theme)) }
}

/**
 * Language, theme and sound. The viewer's own are kept in this browser. A link may say another language or theme: that
 * holds for the page that it opens and is never kept. A choice of the viewer is their own, and ends what the link said.
 */
export const usePrefs = defineStore('prefs', () => {
  const saved = parsePrefs(localStorage.getItem(storageKey))
  const own = { language: ref<Language>(saved.language ?? 'zh'), theme: ref<ThemeName>(saved.theme ?? 'dark') }
  const link = ref<LinkPrefs>({ language: null, theme: null })
  const muted = ref(saved.muted ?? false)

  function chosen<K extends keyof typeof own>(key: K) {
    type Value = (typeof own)[K]['value']
    return computed<Value>({
      get: () => (link.value[key] ?? own[key].value) as Value,
      set: (next) => {
        ;(own[key] as Ref<Value>).value = next
        link.value = { ...link.value, [key]: null }
      },
    })
  }
  const language = chosen('language')
  const theme = chosen('theme')

  /** Takes what the link of the page now open says; a link that says nothing ends what the last one said. */
  function takeLink(query: Record<string, unknown>) {
    link.value = linkPrefs(query)
  }

  watch(language, (next) => setLanguage(next), { immediate: true, flush: 'sync' })
  watch(theme, (next) => applyTheme(next), { immediate: true, flush: 'sync' })
  watch([own.language, own.theme, muted], () => {
    localStorage.setItem(storageKey, JSON.stringify({ language: own.language.value, theme: own.theme.value, muted: muted.value }))
  })
  return { language, theme, muted, link, takeLink }
})
