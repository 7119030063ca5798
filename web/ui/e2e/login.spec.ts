// Logging in and out, and pages that a role may not see.

import { expect, phone, test } from './fixtures'

test('a wrong password is said so, the right one leads back to where one came from', async ({ as, demo }) => {
  const { page } = await as(null)
  await page.goto('/about')
  await expect(page).toHaveURL(/\/login\?next=/)
  await expect(page.getByTestId('login-user')).toBeFocused()
  await page.getByTestId('login-submit').click()
  await expect(page.getByText('请填写')).toHaveCount(2)

  await page.keyboard.type('observer')
  await page.getByTestId('login-password').fill('not-the-password')
  await page.keyboard.press('Enter')
  await expect(page.getByTestId('login-failed')).toContainText('用户名或密码不正确')
  await expect(page.getByTestId('login-password')).toBeFocused()

  await page.keyboard.type(demo.accounts.find((a) => a.user === 'observer')!.password)
  await page.keyboard.press('Enter')
  await expect(page).toHaveURL(/\/about$/)
  await expect(page.getByTestId('server-version')).not.toBeEmpty()

  await page.getByTestId('logout').click()
  await expect(page).toHaveURL(/\/login/)
  await page.goto('/about')
  await expect(page).toHaveURL(/\/login/)
})

test('too many failures count the wait down', async ({ as }) => {
  const { page } = await as(null)
  await page.route('**/api/v1/session', (route) =>
    route.fulfill({ status: 429, headers: { 'Retry-After': '3', 'Content-Type': 'application/problem+json' }, body: '{"status":429,"title":"Too Many Requests"}' }),
  )
  await page.clock.install()
  await page.goto('/login')
  await page.getByTestId('login-user').fill('somebody')
  await page.getByTestId('login-password').fill('some password')
  await page.clock.pauseAt(Date.now() + 3600_000)
  await page.getByTestId('login-submit').click()
  await expect(page.getByTestId('login-failed')).toContainText('请等待 3 秒')
  await page.clock.runFor(2_000)
  await expect(page.getByTestId('login-failed')).toContainText('请等待 1 秒')
  await expect(page.getByTestId('login-submit')).toBeDisabled()
  await page.clock.runFor(1_500)
  await expect(page.getByTestId('login-submit')).toBeEnabled()
  await expect(page.getByTestId('login-failed')).toHaveCount(0)
})

test('a server that is away is said so', async ({ as }) => {
  const { page } = await as(null)
  await page.goto('/login')
  await page.context().setOffline(true)
  await page.getByTestId('login-user').fill('observer')
  await page.getByTestId('login-password').fill('some password')
  await page.getByTestId('login-submit').click()
  await expect(page.getByTestId('login-failed')).toContainText('服务器无法连接')
})

test('nothing leads to another host', async ({ as, demo }) => {
  const { page } = await as('observer')
  await page.goto('/login?next=//example.org/')
  await expect(page).toHaveURL(new RegExp(`^${demo.http}/(\\?|$)`))
})

test('a responder’s phone starts on the phone page', async ({ as, demo }) => {
  const { page } = await as(null, { context: phone })
  await page.goto('/login')
  const account = demo.accounts.find((a) => a.user === 'r370681')!
  await page.getByTestId('login-user').fill(account.user)
  await page.getByTestId('login-password').fill(account.password)
  await page.getByTestId('login-submit').click()
  await expect(page).toHaveURL(/\/m$/)
  await expect(page.getByTestId('phone-header')).toContainText('龙口')
})

test('pages that a role may not see say so, and ask the server for nothing', async ({ as }) => {
  const { page, complaints } = await as('observer')
  await page.goto('/admin/accounts')
  await expect(page.getByTestId('forbidden')).toContainText('管理账号')
  await page.goto('/admin/quarantine')
  await expect(page.getByTestId('forbidden')).toBeVisible()
  await page.goto('/admin/rules')
  await expect(page.getByTestId('rule-1')).toBeVisible()
  await expect(page.getByTestId('rule-add')).toHaveCount(0)
  expect(complaints).toEqual([])
})
