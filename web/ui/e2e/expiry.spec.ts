// The end of a session by itself: told before, loud when it comes, and nothing that was typed is lost by it. Each test
// has a server whose sessions are short.

import type { APIRequestContext, Browser, Page } from '@playwright/test'
import type { Demo } from './demo'
import { alertOf, expect, phone, publish, test } from './fixtures'
import { withServer } from './own'

async function login(browser: Browser, demo: Demo, user: string, options: Parameters<Browser['newContext']>[0] = {}): Promise<Page> {
  const context = await browser.newContext({ baseURL: demo.http, ...options })
  const { password } = demo.accounts.find((a) => a.user === user)!
  const answer = await context.request.post('/api/v1/session', { data: { user, password } })
  expect(answer.ok()).toBe(true)
  return context.newPage()
}

async function expiresOf(api: APIRequestContext): Promise<number> {
  const answer = await api.get('/api/v1/me', { headers: { 'X-Onemap-Idle': 'true' } })
  expect(answer.status()).toBe(200)
  return Date.parse(((await answer.json()) as { expires: string }).expires)
}

/** Makes the page believe that it is hidden, as a tab behind another one is. */
async function hide(page: Page, hidden: boolean): Promise<void> {
  await page.evaluate((state) => {
    Object.defineProperty(document, 'visibilityState', { configurable: true, value: state })
    Object.defineProperty(document, 'hidden', { configurable: true, value: state === 'hidden' })
    document.dispatchEvent(new Event('visibilitychange'))
  }, hidden ? 'hidden' : 'visible')
}

test('a session whose last half hour has begun says when it ends, and a login there begins a new one', async ({ browser }) => {
  await withServer(['--session-max', '20m'], async (demo) => {
    const page = await login(browser, demo, 'commander')
    await page.goto('/')
    await expect(page.getByTestId('live-status')).toHaveAttribute('data-status', 'live')
    const banner = page.getByTestId('banner-session')
    await expect(banner).toContainText(/登录将在 \d\d:\d\d 失效（还有 (19|20) 分钟）/)
    await expect(page.getByTestId('watch')).toHaveAttribute('data-broken', 'false') // it still alarms
    await banner.getByRole('button').click()
    const dialog = page.getByTestId('relogin')
    const before = await expiresOf(page.request)
    await dialog.getByTestId('login-password').fill(demo.accounts.find((a) => a.user === 'commander')!.password)
    await dialog.getByTestId('login-submit').click()
    await expect(dialog).toHaveCount(0)
    await expect.poll(() => expiresOf(page.request)).toBeGreaterThan(before)
    await page.context().close()
  })
})

test('a session that ends by itself is loud on an armed page, and a note being written outlives it', { tag: '@wide' }, async ({ browser }) => {
  await withServer(['--session-max', '2m'], async (demo) => {
    const page = await login(browser, demo, 'commander')
    await page.addInitScript(() => {
      Object.assign(window, { tones: 0, stayed: true })
      const make = AudioContext.prototype.createOscillator
      AudioContext.prototype.createOscillator = function (this: AudioContext) {
        ;(window as unknown as { tones: number }).tones++
        return make.call(this)
      }
    })
    const tones = () => page.evaluate(() => (window as unknown as { tones: number }).tones)
    await publish(demo, { ...demo.device, stream: demo.device.datastream, streamId: 0, nameZh: '' }, demo.device.red_above + 0.3)
    await expect.poll(() => alertOf(page.request, demo.device.id).then((a) => a?.level)).toBe(1)
    const { id } = (await alertOf(page.request, demo.device.id))!
    await page.goto(`/?alert=${id}`)
    await page.getByTestId('alarm-test').click()
    await page.getByTestId('alert-ack').click()
    await page.getByTestId('alert-resolve').click()
    await page.getByTestId('alert-note').fill('闸门已开，水位开始回落')

    await expect(page.getByTestId('banner-session')).toContainText('不再接收告警', { timeout: 200_000 })
    const before = await tones()
    await expect.poll(tones).toBeGreaterThan(before)
    await expect(page.getByTestId('alert-note')).toHaveValue('闸门已开，水位开始回落')
    await expect(page).toHaveURL(new RegExp(`alert=${id}`))

    await page.getByTestId('banner-session').getByRole('button').click()
    const dialog = page.getByTestId('relogin')
    await dialog.getByTestId('login-password').fill(demo.accounts.find((a) => a.user === 'commander')!.password)
    await dialog.getByTestId('login-submit').click()
    await expect(page.getByTestId('live-status')).toHaveAttribute('data-status', 'live')
    await expect(page.getByTestId('alert-note')).toHaveValue('闸门已开，水位开始回落')
    expect(await page.evaluate(() => 'stayed' in window)).toBe(true)
    await page.context().close()
  })
})

test('a page that nobody looks at does not keep its session, one that is looked at or armed does', { tag: '@wide' }, async ({ browser }) => {
  await withServer(['--session-ttl', '40s'], async (demo) => {
    const hidden = await login(browser, demo, 'observer')
    const seen = await login(browser, demo, 'steward')
    const armed = await login(browser, demo, 'commander', phone)
    for (const page of [hidden, seen, armed]) {
      await page.goto(page === armed ? '/m' : '/')
      await expect(page.getByTestId('live-status')).toHaveAttribute('data-status', 'live')
    }
    await armed.getByTestId('sound-off').click()
    await expect(armed.getByTestId('sound-toggle')).toHaveAttribute('data-audible', 'true')
    await hide(hidden, true)
    await hide(armed, true)
    const [was, stays] = [await expiresOf(hidden.request), await expiresOf(armed.request)]
    // What it asks for by itself is no use of it: tiles and a new connection.
    await hidden.evaluate(async () => {
      window.dispatchEvent(new Event('online'))
      await fetch('/healthz')
    })
    await hidden.context().setOffline(true)
    await hidden.context().setOffline(false)
    await expect(hidden.getByTestId('banner-session')).toContainText('登录已失效')
    expect(Date.now()).toBeGreaterThan(was - 2000)
    await expect.poll(() => expiresOf(seen.request)).toBeGreaterThan(was + 10_000)
    await expect.poll(() => expiresOf(armed.request)).toBeGreaterThan(stays)
    for (const page of [seen, armed]) await expect(page.getByTestId('banner-session')).toHaveCount(0)
    for (const page of [hidden, seen, armed]) await page.context().close()
  })
})
