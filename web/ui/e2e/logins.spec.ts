// People change their own password from every menu; administrators see what logins have failed.

import type { APIRequestContext, BrowserContextOptions, Page } from '@playwright/test'
import { request } from '@playwright/test'
import type { Demo } from './demo'
import { expect, phone, pick, test, type Watched } from './fixtures'

const first = 'the first password'
const second = 'a second password'
let made = 0

type As = (user: string | null, options?: { context?: BrowserContextOptions; language?: 'zh' | 'en' }) => Promise<Watched>

/** Makes an account and logs its browser in. */
async function person(as: As, demo: Demo, context: BrowserContextOptions, language: 'zh' | 'en'): Promise<{ user: string; page: Page; complaints: string[] }> {
  const user = `own-${Date.now().toString(36)}-${++made}`
  const { page: admin } = await as('admin')
  const answer = await admin.context().request.post('/api/v1/accounts', {
    data: { user, name: '改密者', role: 'county_responder', division: '370685', password: first },
  })
  expect(answer.status()).toBe(201)
  const watched = await as(null, { context, language })
  await enter(watched.page.context().request, user, first)
  expect(demo.accounts.some((a) => a.user === user)).toBe(false)
  return { user, ...watched }
}

async function enter(api: APIRequestContext, user: string, password: string): Promise<number> {
  return (await api.post('/api/v1/session', { data: { user, password } })).status()
}

const wide = async (page: Page) => expect(await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth)).toBeLessThanOrEqual(0)

interface Place {
  name: string
  path: string
  menu: string | null
  item?: string
  context: BrowserContextOptions
  language: 'zh' | 'en'
}
const places: Place[] = [
  { name: 'the map at 1366', path: '/', menu: 'user-menu', context: {}, language: 'zh' },
  { name: 'the map at 1024', path: '/', menu: 'user-menu', context: { viewport: { width: 1024, height: 768 } }, language: 'en' },
  { name: 'the phone page', path: '/m', menu: 'phone-menu', context: phone, language: 'zh' },
  { name: 'the map on a phone', path: '/', menu: 'user-menu', context: phone, language: 'en' },
  { name: 'another page', path: '/alerts', menu: null, context: {}, language: 'en' },
  { name: 'another page on a phone', path: '/about', menu: 'admin-menu', item: 'nav-password', context: phone, language: 'zh' },
]

for (const { name, path, menu, item, context, language } of places) {
  test(`the own password is changed from ${name}`, async ({ as, demo }) => {
    const said = (zh: string, en: string) => (language === 'zh' ? zh : en)
    const { user, page } = await person(as, demo, context, language)
    const elsewhere = await request.newContext({ baseURL: demo.http })
    expect(await enter(elsewhere, user, first)).toBe(200)
    await page.goto(path)
    if (menu) await page.getByTestId(menu).click()
    await page.getByTestId(item ?? 'menu-password').click()
    const form = page.getByTestId('password-form')
    await expect(page.getByTestId('password-current')).toBeFocused()
    await expect(form).toContainText(said('至少 10 个字符', 'At least 10 characters'))
    await wide(page)

    // What is wrong is said at its field, by the page and by the server.
    await page.getByTestId('password-save').click()
    await expect(form.locator('.fault')).toHaveText([said('必填', 'is required'), said('必填', 'is required')])
    await page.getByTestId('password-current').fill(first)
    await page.getByTestId('password-new').fill('short')
    await page.getByTestId('password-repeat').fill('other')
    const short = said('至少 10 个字符', 'must be at least 10 characters')
    await expect(form.locator('.fault')).toHaveText([short, said('与上面输入的不一致', 'This is not the same as above')])
    await page.getByTestId('password-repeat').fill('short')
    await page.getByTestId('password-save').click()
    await expect(form.locator('.fault')).toHaveText([short])
    await page.getByTestId('password-current').fill('not the password')
    await page.getByTestId('password-new').fill(second)
    await page.getByTestId('password-repeat').fill(second)
    await page.getByTestId('password-save').click()
    await expect(form.locator('.fault')).toHaveText([said('与当前密码不符', 'is not the current password')])
    await expect(page.getByTestId('password-current')).toBeFocused()

    await page.getByTestId('password-current').fill(first)
    await page.keyboard.press('Enter')
    await expect(page.getByTestId('password-done')).toContainText(said('密码已修改', 'Your password is changed'))
    await page.getByTestId('password-close').click()
    await expect(page.getByTestId('password-done')).toHaveCount(0)

    expect((await elsewhere.get('/api/v1/me')).status()).toBe(401)
    expect((await page.context().request.get('/api/v1/me')).status()).toBe(200)
    expect(await enter(elsewhere, user, first)).toBe(401)
    expect(await enter(elsewhere, user, second)).toBe(200)
    await elsewhere.dispose()
  })
}

test('guessing the current password is slowed, and the wait is counted down', async ({ as, demo }) => {
  const { page } = await person(as, demo, {}, 'zh')
  await page.goto('/alerts')
  await page.getByTestId('menu-password').click()
  await page.getByTestId('password-new').fill(second)
  await page.getByTestId('password-repeat').fill(second)
  for (let i = 0; i < 5; i++) {
    const answer = await page.context().request.post('/api/v1/me/password', { data: { current_password: 'wrong', new_password: second } })
    expect(answer.status()).toBe(400)
  }
  await page.route('**/api/v1/me/password', async (route) => {
    const answer = await route.fetch()
    await route.fulfill({ response: answer, headers: { ...answer.headers(), ...(answer.status() === 429 ? { 'retry-after': '3' } : {}) } })
  })
  await page.clock.install()
  await page.getByTestId('password-current').fill(first)
  await page.clock.pauseAt(Date.now() + 3600_000)
  const slowed = page.waitForResponse('**/api/v1/me/password')
  await page.getByTestId('password-save').click()
  if ((await slowed).status() === 429) {
    await expect(page.getByTestId('form-problem')).toContainText('请等待 3 秒')
    await expect(page.getByTestId('password-save')).toBeDisabled()
    await page.clock.runFor(3_500)
    await expect(page.getByTestId('password-save')).toBeEnabled()
  } else {
    await expect(page.getByTestId('password-done')).toBeVisible() // a slow machine: the wait of a second was over
  }
})

test('administrators see failed logins and where each account last logged in', async ({ as, demo }) => {
  const { user, page: own } = await person(as, demo, {}, 'zh')
  await enter(own.context().request, user, 'wrong')
  await enter(own.context().request, user, 'wrong')
  const unknown = `ghost-${user}`
  await enter(own.context().request, unknown, 'wrong')

  for (const [language, words] of [
    ['zh', { user: '密码不正确', ghost: '没有这个名称的账号', none: '没有符合筛选条件的登录失败' }],
    ['en', { user: 'wrong password', ghost: 'no account of this name', none: 'No failed login matches the filter' }],
  ] as const) {
    for (const context of [{}, phone]) {
      const { page, complaints } = await as('admin', { language, context })
      await page.goto('/admin/failed-logins')
      const rows = (name: string) => page.locator('tbody tr').filter({ has: page.locator('b', { hasText: new RegExp(`^${name}$`) }) })
      await expect(rows(user).first()).toContainText(words.user)
      await expect(rows(user).first()).toContainText('127.0.0.1')
      await expect(rows(unknown)).toContainText(words.ghost)
      await pick(page.getByTestId('failed-account'), 'known')
      await expect(rows(unknown)).toHaveCount(0)
      await expect(rows(user).first()).toBeVisible()
      await pick(page.getByTestId('failed-account'), 'unknown')
      await expect(rows(unknown)).toHaveCount(1)
      await expect(rows(user)).toHaveCount(0)
      await page.getByTestId('failed-user').fill('no-such-name')
      await page.keyboard.press('Enter')
      await expect(page.getByTestId('failed-empty')).toContainText(words.none)
      await page.getByTestId('failed-reset').click()
      await expect(rows(user).first()).toBeVisible()
      await wide(page)
      expect(complaints).toEqual([])
    }
  }
  const { page } = await as('admin')
  await page.goto('/admin/accounts')
  await expect(page.getByTestId(`account-${user}`).getByTestId('last-login')).toContainText('127.0.0.1')

  const { page: other } = await as('observer')
  await other.goto('/admin/failed-logins')
  await expect(other.getByTestId('forbidden')).toBeVisible()
})
