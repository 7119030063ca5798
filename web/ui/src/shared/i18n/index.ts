// Chinese is the default and the measure: its keys are the type of every key, and English must have
// the same ones (a unit test checks both, and that no key is unused).

import { createI18n } from 'vue-i18n'
import type { Text } from '@/shared/api/types'
import en from './en'
import zh from './zh'

export type Language = 'zh' | 'en'

type Leaves<T> = T extends string
  ? ''
  : { [K in keyof T & (string | number)]: Leaves<T[K]> extends '' ? `${K}` : `${K}.${Leaves<T[K]>}` }[keyof T & (string | number)]

/** Every message key, as "level.1" or "command.alerts.title". */
export type MessageKey = Leaves<typeof zh>

/** A message to be shown, with what fills its {names}. */
export interface Message {
  key: MessageKey
  params?: Record<string, string | number>
}

export const messages = { zh, en }

export const i18n = createI18n({
  legacy: false,
  locale: 'zh',
  fallbackLocale: false,
  messages: messages as unknown as Record<Language, Record<string, string>>,
  missingWarn: import.meta.env.DEV,
})

/** Translates a key; params fill its {names}. Reactive in templates and computed values. */
export function t(key: MessageKey, params?: Record<string, string | number>): string {
  return i18n.global.t(key, params ?? {})
}

/** The language shown now. Reactive. */
export function language(): Language {
  return i18n.global.locale.value as Language
}

/** Shows another language; the document's lang follows. */
export function setLanguage(next: Language): void {
  i18n.global.locale.value = next
  if (typeof document !== 'undefined') document.documentElement.lang = next === 'zh' ? 'zh-CN' : 'en'
}

/** A bilingual text in the language shown now; English falls back to Chinese and the reverse. */
export function tx(text: Text | null | undefined): string {
  if (!text) return ''
  return language() === 'en' ? text.en || text.zh : text.zh || text.en
}
