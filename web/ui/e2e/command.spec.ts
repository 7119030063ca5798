// The main job through the page: a device publishes over MQTT, the map turns red, also inside a
// cluster, the alert is opened and acknowledged, and a second page sees it.

import { expect, test, type Page } from '@playwright/test'
import { login, publish, readDemo } from './demo'

const demo = readDemo()
test.use({ baseURL: demo.http })
test.describe.configure({ mode: 'serial' })

interface Rendered {
  id?: string
  cluster?: boolean
  rank: number
  at: [number, number]
}

const rendered = (page: Page) => page.evaluate(() => (window as never as { __onemap: { renderedDevices: Rendered[] } }).__onemap.renderedDevices)
const deviceLevel = (page: Page, id: string) =>
  page.evaluate((d) => (window as never as { __onemap: { deviceLevel(id: string): number } }).__onemap.deviceLevel(d), id)

async function open(page: Page, path = '/'): Promise<string[]> {
  const violations: string[] = []
  page.on('console', (m) => {
    if (/Content Security Policy|CSP/.test(m.text())) violations.push(m.text())
  })
  await login(page, demo, 'commander')
  await page.goto(path)
  await page.waitForFunction(() => (window as never as { __onemap?: { mapReady: boolean } }).__onemap?.mapReady === true)
  await expect(page.getByTestId('live-status')).toHaveAttribute('data-status', 'live')
  return violations
}

test('a red reading turns the map red, is acknowledged, and a second page sees it', async ({ page, browser }) => {
  const second = await (await browser.newContext()).newPage()
  await publish(demo, demo.device.clear_below - 0.1) // begin from a clear state
  const violations = await open(page)
  await open(second)

  await publish(demo, demo.device.red_above + 0.3)
  await expect.poll(() => deviceLevel(page, demo.device.id)).toBe(1)
  const item = page.locator('[data-testid^=alert-item-][data-level="1"]').first()
  await expect(item).toBeVisible()
  await expect(page.getByTestId('header-count-1')).not.toHaveAttribute('data-count', '0')
  // At this zoom the device is inside a cluster: the cluster wears the worst level.
  await expect.poll(async () => (await rendered(page)).some((d) => d.cluster && d.rank === 1)).toBe(true)

  // Another alert may come first at any moment: this one is meant from here on.
  const id = await page.locator('[data-testid^=alert-item-][data-level="1"][data-handling="new"]').first().getAttribute('data-id')
  await page.getByTestId(`alert-item-${id}`).click()
  await expect(page.getByTestId('alert-card')).toBeVisible()
  await expect(page.getByTestId('alert-deliveries')).toBeVisible()
  await page.getByTestId('alert-ack').click()
  await expect(page.getByTestId('alert-handling')).toHaveAttribute('data-handling', 'acknowledged')
  await expect(second.getByTestId(`alert-item-${id}`)).toHaveAttribute('data-handling', 'acknowledged')
  await expect(page.getByTestId('alert-history').locator('[data-step=acknowledge]')).toHaveCount(1)
  expect(violations).toEqual([])
  await second.context().close()
})

test('a link opens the device’s card with its chart; language and theme change everything', async ({ page }) => {
  await open(page, `/?card=device:${demo.device.id}&lang=en&theme=light`)
  await expect(page.getByTestId('device-card')).toBeVisible()
  await expect(page.getByTestId('stream-chart').first()).not.toHaveAttribute('data-points', '0')
  await expect(page.getByTestId('simulated')).toHaveText('Simulated data')
  await expect(page.locator('html')).toHaveAttribute('data-theme', 'light')
  await page.getByTestId('user-menu').click()
  await page.getByTestId('lang-zh').click()
  await expect(page.getByTestId('simulated')).toHaveText('模拟数据')
  await expect(page).toHaveURL(/lang=zh/)
})

test('the keyboard reaches everything', async ({ page }) => {
  await open(page)
  await page.keyboard.press('l')
  await expect(page.getByTestId('layer-panel')).toBeHidden()
  await page.keyboard.press('l')
  await expect(page.getByTestId('layer-panel')).toBeVisible()
  await page.keyboard.press('t')
  await expect(page.getByTestId('drawer')).toBeVisible()
  await page.keyboard.press('Escape')
  await expect(page.getByTestId('drawer')).toBeHidden()
  await page.keyboard.press('/')
  await page.getByTestId('search').fill(demo.device.id) // typed, its beginnings would be searched for, too
  await expect(page.getByTestId('search-hit').first()).toBeVisible()
  await page.keyboard.press('Enter')
  await expect(page.getByTestId('device-card')).toBeVisible()
  await page.keyboard.press('Escape')
  await expect(page.getByTestId('device-card')).toBeHidden()
})

test('a lost feed is a red banner, not a still picture', async ({ page }) => {
  await login(page, demo, 'commander')
  await page.routeWebSocket(/\/ws$/, (ws) => ws.close({ code: 4101 }))
  await page.goto('/')
  await expect(page.getByTestId('banner-stale')).toBeVisible()
  await expect(page.getByTestId('live-status')).not.toHaveAttribute('data-status', 'live')
})
