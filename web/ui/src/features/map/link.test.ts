// The command page's link: what it opens, and what a reload finds again.

import { createPinia, setActivePinia } from 'pinia'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import { nextTick } from 'vue'
import { createMemoryHistory, createRouter } from 'vue-router'
import { useAlerts } from '@/features/alerts/alerts'
import { useLayers } from '@/features/layers/layers'
import { useCatalogue } from '@/features/layers/useCatalogue'
import { usePrefs } from '@/shared/prefs/prefs'
import { useSession } from '@/shared/session/session'
import { Browser } from '@/shared/testing/browser'
import { aLayer, aMe, text } from '@/shared/testing/fixtures'
import { mounted } from '@/shared/testing/mount'
import { aServer, refusal } from '@/shared/testing/server'
import { useUi } from '@/shared/workspace/ui'
import { useUrlState } from './useUrlState'

vi.mock('@/shared/theme/tokens', async (original) => ({ ...(await original<object>()), applyTheme: () => undefined }))

beforeAll(() => void vi.useFakeTimers())
afterAll(() => void vi.useRealTimers())
beforeEach(() => {
  setActivePinia(createPinia())
  new Browser()
})
afterEach(() => void vi.unstubAllGlobals())

async function page(link: string) {
  setActivePinia(createPinia())
  const router = createRouter({ history: createMemoryHistory(), routes: [{ path: '/', name: 'command', component: { render: () => null } }] })
  await router.push(link)
  usePrefs().takeLink(router.currentRoute.value.query)
  const { unmount } = mounted(useUrlState, router)
  /** The link, once it has followed. */
  const shown = async () => {
    await vi.advanceTimersByTimeAsync(1000)
    return router.currentRoute.value.query
  }
  return { router, shown, unmount, ui: useUi(), alerts: useAlerts(), layers: useLayers() }
}

test('a link opens the page as it was, and a reload finds it again', async () => {
  const first = await page('/')
  first.ui.view = { zoom: 9, lon: 121.4, lat: 37.5 }
  first.ui.card = { kind: 'device', id: 'D1' }
  first.ui.alertId = 12
  first.ui.panels.layers = false
  first.ui.pin = [121.5, 37.25]
  first.alerts.filter.levels = [2, 1]
  first.alerts.filter.cleared = false
  first.layers.set('hospital', { visible: false })
  const query = await first.shown()
  expect(query).toEqual({ v: '9.00/37.50000/121.40000', card: 'device:D1', alert: '12', panels: 'a', pin: '121.5,37.25', levels: '1.2', cleared: '0', layers: 'hospital:0' })
  const second = await page(`/?${new URLSearchParams(query as Record<string, string>).toString()}`)
  expect([second.ui.view, second.ui.card, second.ui.alertId, second.ui.panels, second.ui.pin]).toEqual([first.ui.view, first.ui.card, 12, { layers: false, alerts: true, drawer: false }, [121.5, 37.25]])
  expect([second.alerts.filter.levels, second.alerts.filter.cleared, second.layers.setting('hospital').visible, second.layers.setting('land').visible]).toEqual([[1, 2], false, false, true])
  expect(await second.shown()).toEqual(query)
})

test('a language and a theme stay in the link that said them, and a choice of one’s own is not written', async () => {
  const said = await page('/?lang=en&theme=light')
  said.ui.alertId = 3
  expect(await said.shown()).toEqual({ lang: 'en', theme: 'light', alert: '3' })
  usePrefs().language = 'zh'
  expect(await said.shown()).toEqual({ theme: 'light', alert: '3' })
})

test('what a link has wrong is dropped from it, and a page that is left writes no more', async () => {
  const { router, ui, shown, unmount } = await page('/?v=x&alert=-4&layers=DROP:1&zzz=1')
  expect([ui.view, ui.alertId]).toEqual([null, null])
  ui.wall = true
  expect(await shown()).toEqual({ wall: '1' })
  const written = vi.spyOn(router, 'replace')
  ui.alertId = 9
  await nextTick()
  unmount()
  await shown()
  expect(written).not.toHaveBeenCalled()
})

const layers = { items: [aLayer('land', { theme: 'landform' }), aLayer('hospital'), aLayer('odd', { theme: 'weather' })], themes: [{ code: 'place', title: text('地点') }, { code: 'empty', title: text('空') }, { code: 'landform', title: text('地面') }] }

test('a map opens when the catalogue and the account are there; until then they are asked for again', async () => {
  aServer({ 'GET /api/v1/me': refusal(503) })
  const { ready } = mounted(useCatalogue).result
  await vi.advanceTimersByTimeAsync(4000)
  expect([ready.value, useSession().me]).toEqual([false, null])
  aServer({ 'GET /api/v1/me': aMe(), 'GET /api/v1/layers': refusal(502) })
  await vi.advanceTimersByTimeAsync(4000)
  expect([ready.value, useSession().me?.user, useLayers().error?.status]).toEqual([false, 'me', 502])
  const calls = aServer({ 'GET /api/v1/layers': layers, 'GET /api/v1/sources': { attribution: '© 烟台' } })
  await vi.advanceTimersByTimeAsync(4000)
  expect([ready.value, useLayers().error, useLayers().loaded, useLayers().attribution]).toEqual([true, null, true, '© 烟台'])
  await vi.advanceTimersByTimeAsync(20_000)
  expect(calls.map((c) => c.path)).toEqual(['/api/v1/layers', '/api/v1/sources'])
})

test('layers stand by theme in the order of the themes; a theme without any is left out', async () => {
  aServer({ 'GET /api/v1/layers': layers })
  const store = useLayers()
  await store.load()
  expect(store.byTheme.map((theme) => [theme.code, theme.layers.map((l) => l.name)])).toEqual([['place', ['hospital']], ['landform', ['land']]])
  expect([store.attribution, store.get('odd')?.name, store.get('gone')]).toEqual(['', 'odd', undefined]) // sources that cannot be had cost no map
  store.set('land', { opacity: 0.4 })
  store.set('land', { visible: false })
  expect([store.setting('land'), store.setting('hospital')]).toEqual([{ visible: false, opacity: 0.4 }, { visible: true, opacity: 1 }])
})
