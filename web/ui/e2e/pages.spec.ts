// Every page, in both languages, on a desk and in a hand: nothing on the console, nothing refused by the
// page's policy, no untranslated key, no sideways scrolling.

import { expect, phone, test } from './fixtures'
import type { Page } from '@playwright/test'

interface Stop {
  path: string
  user: string | null
  /** What is there when the page is. */
  ready: string
  /** What hides the language switch. */
  menu?: string
  on?: 'desk' | 'phone'
}

const stops: Stop[] = [
  { path: '/login', user: null, ready: 'login-submit' },
  { path: '/', user: 'commander', ready: 'alert-panel', menu: 'user-menu', on: 'desk' },
  { path: '/m', user: 'r370602', ready: 'sound-off', menu: 'phone-menu', on: 'phone' },
  { path: '/admin/accounts', user: 'admin', ready: 'account-admin' },
  { path: '/admin/failed-logins', user: 'admin', ready: 'failed-refresh' },
  { path: '/admin/rules', user: 'steward', ready: 'rule-1' },
  { path: '/admin/quarantine', user: 'steward', ready: 'quarantine-refresh' },
  { path: '/events', user: 'observer', ready: 'presence-find' },
  { path: '/admin/ingest', user: 'steward', ready: 'ingest-figures' },
  { path: '/admin/layers', user: 'steward', ready: 'layers-table' },
  { path: '/about', user: 'observer', ready: 'about-server' },
]

/** What looks like a key of the message catalogue. */
const keyLike = /\b(?:action|admin|about|app|command|failedLogins|field|ingest|layers|level|levelShort|login|nav|origin|password|phone|pref|presence|role|state|time)\.[a-z][\w.]+/g

async function words(page: Page): Promise<string> {
  return page.evaluate(() => {
    const said = [...document.querySelectorAll('[title],[aria-label],[placeholder]')].flatMap((e) =>
      ['title', 'aria-label', 'placeholder'].map((name) => e.getAttribute(name) ?? ''),
    )
    return [document.title, document.body.innerText, ...said].join('\n')
  })
}

async function clean(page: Page, path: string, lang: string): Promise<void> {
  await expect(page.locator('html')).toHaveAttribute('lang', lang)
  expect((await words(page)).match(keyLike), `${path}: keys`).toBeNull()
  const over = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth)
  expect(over, `${path}: scrolls sideways by`).toBeLessThanOrEqual(0)
}

for (const [device, context] of [['desk', {}], ['phone', phone]] as const) {
  test(`every page is clean in both languages: ${device}`, async ({ as }) => {
    for (const { path, user, ready, menu, on } of stops) {
      if (on && on !== device) continue
      const { page, complaints } = await as(user, { context, theme: device === 'desk' ? 'dark' : 'light' })
      await page.goto(path)
      await expect(page.getByTestId(ready).first()).toBeAttached()
      await page.waitForLoadState('networkidle')
      await clean(page, path, 'zh-CN')
      if (menu) await page.getByTestId(menu).click()
      await page.getByTestId('lang-en').click()
      await clean(page, path, 'en')
      expect(complaints, path).toEqual([])
      await page.close()
    }
  })
}

test('the wall shows its whole header on a small screen, in both languages', { tag: '@wide' }, async ({ as }) => {
  for (const language of ['zh', 'en'] as const) {
    const { page } = await as('commander', { language })
    await page.goto('/?wall=1')
    await expect(page.getByTestId('live-status')).toHaveAttribute('data-status', 'live')
    const clock = page.getByTestId('clock')
    await expect.poll(() => clock.evaluate((e) => e.getBoundingClientRect().right <= window.innerWidth), language).toBe(true)
    await page.getByTestId('wall-exit').focus()
    await page.keyboard.press('Enter')
    await expect(page.getByTestId('search')).toBeVisible()
  }
})

test('on a narrow screen nothing of the map lies over a panel', { tag: '@wide' }, async ({ as }) => {
  const { page } = await as('commander', { context: phone })
  await page.goto('/')
  const panel = page.getByTestId('alert-panel')
  await expect(panel).toBeVisible()
  await expect(page.getByTestId('zoom-in')).toBeAttached()
  const over = await panel.evaluate((e) => {
    const box = e.getBoundingClientRect()
    const found = new Set<string>()
    for (let x = box.left + 3; x < box.right - 3; x += 8) {
      for (let y = box.top + 3; y < box.bottom - 3; y += 8) {
        const top = document.elementFromPoint(x, y)
        if (top && !e.contains(top)) found.add(top.outerHTML.slice(0, 80))
      }
    }
    return [...found]
  })
  expect(over).toEqual([])
})
