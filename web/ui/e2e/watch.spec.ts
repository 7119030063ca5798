// What an open page does when its server is upgraded, stops, or refuses it.

import type { Route } from '@playwright/test'
import { expect, test } from './fixtures'
import { OwnServer } from './own'

test.describe('without a service worker', () => {
  test.use({ serviceWorkers: 'block' })

  test('a part of the page that is gone after an upgrade reloads it once, to where the way led', async ({ as }) => {
    const { page } = await as('commander', { context: { serviceWorkers: 'block' } })
    await page.goto('/')
    await expect(page.getByTestId('live-status')).toHaveAttribute('data-status', 'live')
    let loads = 0
    page.on('framenavigated', (frame) => {
      if (frame === page.mainFrame()) loads++
    })
    await page.route('**/assets/RuleList*', (route) => route.fulfill({ status: 404, body: 'gone' }))
    await page.getByTestId('user-menu').click()
    await page.getByRole('menuitem', { name: '告警规则' }).click()
    // The page was loaded anew; the part is still missing, and that is said instead of trying for ever.
    await expect(page.getByTestId('banner-version')).toContainText('刷新页面')
    expect(loads).toBeLessThan(4)
    await page.unroute('**/assets/RuleList*')
    await page.getByTestId('banner-version').getByRole('button').click()
    await expect(page.getByTestId('rule-1')).toBeVisible()
  })

  test('a page that only shows the map is told of a new build, a wall takes it by itself, once', async ({ as }) => {
    const { page } = await as('commander', { context: { serviceWorkers: 'block' } })
    await page.goto('/')
    await expect(page.getByTestId('live-status')).toHaveAttribute('data-status', 'live')
    await page.evaluate(() => Object.assign(window, { stayed: true }))
    const upgraded = async (route: Route) => {
      const answer = await route.fetch()
      await route.fulfill({ response: answer, headers: { ...answer.headers(), 'x-onemap-build': 'another' } })
    }
    await page.route('**/api/v1/me', upgraded)
    await page.evaluate(() => document.dispatchEvent(new Event('visibilitychange')))
    await expect(page.getByTestId('banner-version')).toBeVisible()
    expect(await page.evaluate(() => 'stayed' in window)).toBe(true)

    const { page: wall } = await as('commander', { context: { serviceWorkers: 'block' } })
    await wall.goto('/?wall=1')
    await expect(wall.getByTestId('live-status')).toHaveAttribute('data-status', 'live')
    await wall.evaluate(() => Object.assign(window, { stayed: true }))
    await wall.route('**/api/v1/me', upgraded)
    await wall.evaluate(() => document.dispatchEvent(new Event('visibilitychange')))
    await wall.waitForFunction(() => !('stayed' in window))
    await expect(wall.getByTestId('banner-version')).toBeVisible() // still another build: it is said, no second reload
  })
})

test('a refused live connection says why', async ({ as }) => {
  const { page } = await as('observer')
  await page.route('**/api/v1/push*', (route) =>
    route.fulfill({
      status: 403,
      contentType: 'application/problem+json',
      body: JSON.stringify({ status: 403, title: 'Forbidden', code: 'origin-foreign', params: { origin: 'https://map.example.org', host: '10.0.0.1:8080' } }),
    }),
  )
  await page.routeWebSocket('**/ws', (ws) => ws.close({ code: 1011 }))
  await page.goto('/')
  await expect(page.getByTestId('banner-origin')).toContainText('--origin https://map.example.org')
})

test('a reload while the server is away shows the page and the last known picture', async ({ browser }) => {
  const server = new OwnServer()
  try {
    const demo = await server.start()
    const context = await browser.newContext({ baseURL: demo.http })
    const { password } = demo.accounts.find((a) => a.user === 'commander')!
    await context.request.post('/api/v1/session', { data: { user: 'commander', password } })
    const page = await context.newPage()
    await page.goto('/')
    await expect(page.getByTestId('live-status')).toHaveAttribute('data-status', 'live')
    await page.evaluate(async () => {
      await navigator.serviceWorker.ready
      while (!(await caches.has('onemap-picture'))) await new Promise((wake) => setTimeout(wake, 100))
    })
    await server.stop()
    await page.reload()
    await expect(page.getByTestId('banner-picture')).toContainText('无法连接服务器')
    await server.start()
    await expect(page.getByTestId('banner-picture')).toHaveCount(0)
    await expect(page.getByTestId('live-status')).toHaveAttribute('data-status', 'live')
    await page.getByTestId('user-menu').click()
    await page.getByTestId('logout').click()
    await expect(page).toHaveURL(/\/login/)
    expect(await page.evaluate(() => caches.has('onemap-picture'))).toBe(false)
    await context.close()
  } finally {
    await server.remove()
  }
})
