// axe-core on every page, dark in Chinese and light in English: nothing serious or critical, and headings in order.

import AxeBuilder from '@axe-core/playwright'
import type { Page } from '@playwright/test'
import { alertOf, expect, phone, publish, test, type Watched } from './fixtures'

interface Stop {
  path: string
  user: string | null
  ready: string
  hand?: boolean
  /** What is opened on it before it is looked at. */
  then?: (page: Page) => Promise<void>
}

async function faults(page: Page): Promise<string[]> {
  const { violations } = await new AxeBuilder({ page }).exclude('canvas').analyze() // a map is a picture
  return violations
    .filter((v) => v.impact === 'serious' || v.impact === 'critical' || v.id === 'heading-order')
    .flatMap((v) => v.nodes.map((n) => `${v.id}: ${n.target.join(' ')} ${n.html.slice(0, 160)} ${n.any[0]?.message ?? ''}`))
}

const press = (testId: string) => async (page: Page) => page.getByTestId(testId).click()

const desk = (alert: number, device: string): Stop[] => [
  { path: '/', user: 'commander', ready: 'alert-panel' },
  { path: '/', user: 'commander', ready: 'alert-panel', then: press('user-menu') },
  { path: '/', user: 'commander', ready: 'alert-panel', then: async (page) => page.getByTestId('search').fill('烟台').then(() => expect(page.getByTestId('search-hit').first()).toBeVisible()) },
  { path: `/?alert=${alert}`, user: 'commander', ready: 'alert-history' },
  { path: `/?alert=${alert}`, user: 'commander', ready: 'alert-history', then: press('alert-assign') },
  { path: '/', user: 'commander', ready: 'alert-panel', then: press('alert-select') },
  { path: `/?card=device:${device}&panels=t`, user: 'commander', ready: 'device-card' },
  { path: '/?panels=lat&tab=table', user: 'commander', ready: 'drawer' },
  { path: '/', user: 'commander', ready: 'alert-panel', then: async (page) => page.keyboard.press('?') },
  { path: `/?wall=1&alert=${alert}`, user: 'commander', ready: 'wall-card' },
  { path: '/m', user: 'r370685', ready: 'takeover', hand: true },
  { path: '/m', user: 'r370685', ready: 'takeover', hand: true, then: press('takeover-later') },
]
const admin: Stop[] = [
  { path: '/login', user: null, ready: 'login-submit' },
  { path: '/nosuch', user: null, ready: 'nowhere' },
  { path: '/alerts', user: 'commander', ready: 'history-filter' },
  { path: '/silences', user: 'commander', ready: 'silence-add', then: press('silence-add') },
  { path: '/about', user: 'commander', ready: 'about-server' },
  { path: '/events', user: 'commander', ready: 'presence-find' },
  { path: '/admin/accounts', user: 'admin', ready: 'account-admin' },
  { path: '/admin/accounts', user: 'admin', ready: 'account-admin', then: press('menu-password') },
  { path: '/admin/failed-logins', user: 'admin', ready: 'failed-refresh' },
  { path: '/admin/displays', user: 'admin', ready: 'display-add', then: press('display-add') },
  { path: '/admin/rules', user: 'steward', ready: 'rule-1' },
  { path: '/admin/rules', user: 'steward', ready: 'rule-1', then: press('rule-add') },
  { path: '/admin/quarantine', user: 'steward', ready: 'quarantine-refresh' },
  { path: '/admin/ingest', user: 'steward', ready: 'ingest-figures' },
  { path: '/admin/layers', user: 'steward', ready: 'layers-table' },
]

for (const [theme, language] of [['dark', 'zh'], ['light', 'en']] as const) {
  for (const place of ['desk and hand', 'other pages'] as const) {
    test(`nothing serious for those who cannot see or point: ${place}, ${theme}, ${language}`, { tag: '@wide' }, async ({ as, demo, steward, sensor }) => {
      let stops = admin
      if (place === 'desk and hand') {
        const device = await sensor('370685')
        await publish(demo, device, 4.8)
        await expect.poll(() => alertOf(steward, device.id).then((a) => a?.level)).toBe(1)
        stops = desk((await alertOf(steward, device.id))!.id, device.id)
      }
      const pages = new Map<string | null, Watched>()
      const all: string[] = []
      for (const { path, user, ready, hand, then } of stops) {
        const { page } = pages.get(user) ?? (await as(user, { context: hand ? phone : undefined, theme, language }))
        pages.set(user, { page, complaints: [] })
        await page.goto(path)
        await expect(page.getByTestId(ready).first(), path).toBeVisible()
        await then?.(page)
        await page.waitForLoadState('networkidle') // what is busy is grey, and that is no fault
        all.push(...(await faults(page)).map((f) => `${path}: ${f}`))
      }
      expect(all).toEqual([])
    })
  }
}
