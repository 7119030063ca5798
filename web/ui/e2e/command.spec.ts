// The command page: what a link opens, the keyboard, and a feed that is lost.

import type { Page } from '@playwright/test'
import { publish } from './demo'
import { expect, test } from './fixtures'

async function open(page: Page, path = '/'): Promise<void> {
  await page.goto(path)
  await page.waitForFunction(() => (window as never as { __onemap?: { mapReady: boolean } }).__onemap?.mapReady === true)
  await expect(page.getByTestId('live-status')).toHaveAttribute('data-status', 'live')
}

test('a link opens the device’s card with its chart; language and theme change everything', async ({ as, demo }) => {
  await publish(demo, demo.device.clear_below - 0.1)
  const { page } = await as('commander')
  await open(page, `/?card=device:${demo.device.id}&lang=en&theme=light`)
  await expect(page.getByTestId('device-card')).toBeVisible()
  await expect(page.getByTestId('stream-chart').first()).not.toHaveAttribute('data-points', '0')
  await expect(page.getByTestId('simulated')).toHaveText('Simulated')
  await expect(page.locator('html')).toHaveAttribute('data-theme', 'light')
  await page.getByTestId('user-menu').click()
  await page.getByTestId('lang-zh').click()
  await expect(page.getByTestId('simulated')).toHaveText('模拟数据')
  await expect(page).not.toHaveURL(/lang=/)
  await expect(page).toHaveURL(/theme=light/)
})

test('the keyboard reaches everything', async ({ as, demo }) => {
  const { page } = await as('commander')
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
  // An open alert of the device stands before the device itself.
  const card = page.getByTestId('alert-card').or(page.getByTestId('device-card'))
  await expect(card).toBeVisible()
  await page.keyboard.press('Escape')
  await expect(card).toBeHidden()
})

test('a lost feed is a red banner, not a still picture', async ({ as }) => {
  const { page } = await as('commander')
  await page.routeWebSocket(/\/ws$/, (ws) => ws.close({ code: 4101 }))
  await page.goto('/')
  await expect(page.getByTestId('banner-stale')).toBeVisible()
  await expect(page.getByTestId('live-status')).not.toHaveAttribute('data-status', 'live')
})
