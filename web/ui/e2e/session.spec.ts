// The end of a session on an open page, the login over it, and walls that log in by a link.

import type { BrowserContext } from '@playwright/test'
import { expect, phone, test } from './fixtures'

/** Ends every session of the page's user as an administrator's revocation does. */
async function endSessions(context: BrowserContext): Promise<void> {
  const { items } = (await (await context.request.get('/api/v1/sessions')).json()) as { items: { id: number; revoked_at: string | null }[] }
  for (const s of items.filter((s) => !s.revoked_at)) await context.request.delete(`/api/v1/sessions/${s.id}`)
}

for (const language of ['zh', 'en'] as const) {
  test(`the end of a session is said over the last picture, and a login there keeps it (${language})`, async ({ as, demo }) => {
    const { page } = await as('r370611', { language })
    await page.goto('/')
    await expect(page.getByTestId('live-status')).toHaveAttribute('data-status', 'live')
    await page.evaluate(() => {
      sessionStorage.setItem('onemap.draft.test', 'a note')
      Object.assign(window, { stayed: true })
    })
    await endSessions(page.context())
    await expect(page.getByTestId('banner-session')).toContainText(language === 'zh' ? '不再接收告警' : 'receives no alarms')
    await expect(page.getByTestId('watch')).toHaveAttribute('data-broken', 'true')
    await expect(page.getByTestId('live-status')).toBeVisible()
    expect(new URL(page.url()).pathname).toBe('/')

    const dialog = page.getByTestId('relogin')
    await expect(dialog.getByTestId('login-user')).toHaveValue('r370611')
    await dialog.getByTestId('login-password').fill('wrong-password')
    await dialog.getByTestId('login-submit').click()
    await expect(dialog.getByTestId('login-failed')).toBeVisible()
    await dialog.getByTestId('login-password').fill(demo.accounts.find((a) => a.user === 'r370611')!.password)
    await dialog.getByTestId('login-submit').click()
    await expect(page.getByTestId('banner-session')).toHaveCount(0)
    await expect(page.getByTestId('live-status')).toHaveAttribute('data-status', 'live')
    expect(await page.evaluate(() => [sessionStorage.getItem('onemap.draft.test'), 'stayed' in window])).toEqual(['a note', true])
  })
}

test('another person who logs in over it finds nothing of the one before', async ({ as, demo }) => {
  const { page } = await as('r370612')
  await page.goto('/')
  await expect(page.getByTestId('live-status')).toHaveAttribute('data-status', 'live')
  await page.evaluate(() => {
    sessionStorage.setItem('onemap.draft.test', 'a note')
    Object.assign(window, { stayed: true })
  })
  await endSessions(page.context())
  const dialog = page.getByTestId('relogin')
  await dialog.getByTestId('login-user').fill('observer')
  await dialog.getByTestId('login-password').fill(demo.accounts.find((a) => a.user === 'observer')!.password)
  await dialog.getByTestId('login-submit').click()
  await page.waitForFunction(() => !('stayed' in window))
  await expect(page.getByTestId('live-status')).toHaveAttribute('data-status', 'live')
  expect(await page.evaluate(() => sessionStorage.getItem('onemap.draft.test'))).toBeNull()
})

test('the phone says it above everything at 390 pixels', async ({ as }) => {
  const { page } = await as('r370613', { context: phone })
  await page.goto('/m')
  await expect(page.getByTestId('phone-header')).toBeVisible()
  await expect(page.getByTestId('live-status')).toHaveAttribute('data-status', 'live')
  await endSessions(page.context())
  const banner = page.getByTestId('banner-session')
  await expect(banner).toBeVisible()
  const top = await banner.evaluate((e) => {
    const box = e.getBoundingClientRect()
    return e.contains(document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2))
  })
  expect(top).toBe(true)
  expect(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth)).toBe(true)
})

test('the login page says why it is there', async ({ as }) => {
  const { page } = await as('observer')
  await page.goto('/about')
  await expect(page.getByTestId('server-version')).not.toBeEmpty()
  await page.context().clearCookies()
  await page.goto('/about')
  await expect(page.getByTestId('login-why')).toContainText('observer')
})

test('a wall logs in by a link that is used once, and is revoked', async ({ as, demo }) => {
  const { page: admin } = await as('admin')
  await admin.goto('/admin/displays')
  await admin.getByTestId('display-add').click()
  await admin.getByTestId('display-save').click()
  await expect(admin.getByTestId('display-form')).toContainText('必填')
  await admin.getByTestId('display-name').fill('西厅大屏')
  await admin.getByTestId('display-save').click()
  const link = await admin.getByTestId('display-url').inputValue()
  expect(link).toMatch(new RegExp(`^${demo.http}/display#[\\w-]{43}$`))
  await expect(admin.getByRole('img', { name: '链接的二维码' })).toBeVisible()
  await admin.getByTestId('link-done').click()

  const { page: looker } = await as(null) // a preview uses nothing up
  await looker.goto(link)
  await expect(looker.getByTestId('device-title')).toContainText('西厅大屏')
  const { page: wall, complaints } = await as(null)
  await wall.goto(link)
  await wall.getByTestId('device-claim').click()
  await expect(wall).toHaveURL(/wall=1/)
  await expect(wall.getByTestId('live-status')).toHaveAttribute('data-status', 'live')
  await looker.getByTestId('device-claim').click()
  await expect(looker.getByTestId('device-failed')).toContainText('已被使用')

  const row = admin.locator('tr', { hasText: '西厅大屏' })
  await expect(row.getByTestId('display-state')).toHaveText('在线')
  await row.getByTestId('revoke').click()
  await row.getByTestId('revoke-yes').click()
  await expect(wall.getByTestId('banner-session')).toContainText('已被撤销')
  await expect(wall.getByTestId('relogin')).toHaveCount(0)
  expect(complaints.filter((c) => !c.includes('401'))).toEqual([])
})

test('an address that no page has says so, and leads home', async ({ as }) => {
  const { page } = await as('observer')
  const answer = await page.goto('/nosuch/page')
  expect(answer?.status()).toBe(404)
  await expect(page.getByTestId('nowhere')).toContainText('/nosuch/page')
  await page.getByTestId('home').click()
  await expect(page.getByTestId('live-status')).toBeVisible()
})
