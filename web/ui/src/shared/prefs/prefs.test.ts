import { createPinia, setActivePinia } from 'pinia'
import { beforeEach, expect, test, vi } from 'vitest'
import { nextTick } from 'vue'
import { language } from '@/shared/i18n'
import { linkPrefs, parsePrefs, usePrefs } from './prefs'

vi.mock('@/shared/theme/tokens', () => ({ applyTheme: () => {} }))

const kept = new Map<string, string>()
beforeEach(() => {
  kept.clear()
  vi.stubGlobal('localStorage', { getItem: (k: string) => kept.get(k) ?? null, setItem: (k: string, v: string) => void kept.set(k, v) })
  setActivePinia(createPinia())
})
const saved = () => parsePrefs(kept.get('onemap.prefs') ?? null)

test('what a link says holds for its page and is never kept', async () => {
  kept.set('onemap.prefs', '{"language":"zh","theme":"dark"}')
  const prefs = usePrefs()
  prefs.takeLink({ lang: 'en', theme: 'light' })
  expect([prefs.language, prefs.theme, language()]).toEqual(['en', 'light', 'en'])
  prefs.muted = true // something else that is kept
  await nextTick()
  expect(saved()).toEqual({ language: 'zh', theme: 'dark', muted: true })
  prefs.takeLink({})
  expect([prefs.language, prefs.theme, language()]).toEqual(['zh', 'dark', 'zh'])
})

test('a choice of the viewer is kept, and ends what the link said of it alone', async () => {
  const prefs = usePrefs()
  prefs.takeLink({ lang: 'zh', theme: 'light' })
  prefs.language = 'en'
  await nextTick()
  expect([prefs.language, prefs.theme]).toEqual(['en', 'light'])
  expect(prefs.link).toEqual({ language: null, theme: 'light' })
  expect(saved()).toEqual({ language: 'en', theme: 'dark', muted: false })
})

test('nonsense in a link says nothing', () => {
  for (const query of [{}, { lang: 'de', theme: 'pink' }, { lang: ['fr'], theme: null }]) expect(linkPrefs(query)).toEqual({ language: null, theme: null })
  expect(linkPrefs({ lang: ['en', 'zh'] })).toEqual({ language: 'en', theme: null })
})
