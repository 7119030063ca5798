// The pages behind a real nginx: below a path, and where it does not let the live connection through.

import type { Browser, BrowserContext, Page } from '@playwright/test'
import type { Demo } from './demo'
import { expect, phone, test } from './fixtures'
import { withNginx } from './nginx'
import { withServer } from './own'

const passwordOf = (demo: Demo, user: string) => demo.accounts.find((a) => a.user === user)!.password
const upstreamOf = (demo: Demo) => new URL(demo.http).host

// The browser vouches for the login, as it does over HTTPS: the session is there, and the live connection is refused.
async function logIn(context: BrowserContext, root: string, demo: Demo, user: string): Promise<void> {
  const answer = await context.request.post(`${root}/api/v1/session`, { data: { user, password: passwordOf(demo, user) }, headers: { 'Sec-Fetch-Site': 'same-origin' } })
  expect(answer.status()).toBe(200)
}

async function live(page: Page): Promise<void> {
  await expect(page.getByTestId('live-status')).toHaveAttribute('data-status', 'live')
}

for (const [how, slash, tag] of [
  ['kept', '', []],
  ['taken off', '/', ['@wide']], // internal/app asks the same of the server alone
] as [string, string, string[]][]) {
  test(`everything works below a path that the proxy has ${how}`, { tag }, async ({ browser }) => {
    await withServer(['--base', '/onemap', '--proxy', '127.0.0.1'], async (demo) => {
      const upstream = upstreamOf(demo)
      await withNginx('nginx-path.conf', upstream, [[`proxy_pass http://${upstream};`, `proxy_pass http://${upstream}${slash};`]], async ({ plain }) => {
        await belowPath(browser, demo, `http://${plain}/onemap`)
      })
    })
  })
}

async function belowPath(browser: Browser, demo: Demo, base: string): Promise<void> {
  const context = await browser.newContext()
  const page = await context.newPage()
  const outside: string[] = []
  const inside = (url: string) => url.startsWith(`${base}/`) || url === base || !url.startsWith('http')
  page.on('request', (request) => inside(request.url()) || outside.push(request.url()))
  page.on('websocket', (socket) => inside(socket.url().replace(/^ws/, 'http')) || outside.push(socket.url()))
  page.on('pageerror', (error) => outside.push(error.message))
  await page.goto(base)
  await expect(page).toHaveURL(`${base}/login?next=/`)
  await page.getByTestId('login-user').fill('admin')
  await page.getByTestId('login-password').fill(passwordOf(demo, 'admin'))
  const tile = page.waitForResponse((answer) => answer.url().includes('.mvt') && answer.ok())
  await page.getByTestId('login-submit').click()
  await live(page)
  await tile
  expect(new URL(page.url()).pathname).toBe('/onemap/')
  expect(await page.evaluate(async () => (await navigator.serviceWorker.ready).scope)).toBe(`${base}/`)
  expect([...new Set((await context.cookies(`${base}/`)).map((c) => c.path))]).toEqual(['/onemap/'])

  await page.getByTestId('user-menu').click()
  await page.getByRole('menuitem', { name: '告警规则' }).click()
  await expect(page).toHaveURL(`${base}/admin/rules`)
  await expect(page.getByTestId('rule-1')).toBeVisible()
  await page.reload()
  await expect(page.getByTestId('rule-1')).toBeVisible()
  for (const path of ['/?wall=1', '/m']) {
    await page.goto(base + path)
    await live(page)
  }
  await page.goto(`${base}/nowhere`)
  await expect(page).toHaveTitle(/./)

  const made = await context.request.post(`${base}/api/v1/displays`, { data: { name: '走廊', division: '3706', mode: 'read', start: 'wall' } })
  const { token } = (await made.json()) as { token: string }
  const device = await browser.newContext()
  const wall = await device.newPage()
  await wall.goto(`${base}/display#${token}`)
  await wall.getByTestId('device-claim').click()
  await expect(wall).toHaveURL(new RegExp(`^${base}/\\?.*wall=1`))
  await live(wall)
  expect(outside).toEqual([])
  await device.close()
  await context.close()
}

const pages: [string, object][] = [
  ['/', {}],
  ['/?wall=1', {}],
  ['/m', phone],
  ['/admin/rules', {}],
]

/** Opens each of the pages at an address and looks for the reason of the refused live connection. */
async function saysWhy(browser: Browser, demo: Demo, root: string, words: { zh: string; en: string }, at = pages): Promise<void> {
  for (const [i, [path, device]] of at.entries()) {
    const language = i % 2 ? 'en' : 'zh'
    const context = await browser.newContext({ ...device, ignoreHTTPSErrors: true })
    await context.addInitScript((l) => localStorage.setItem('onemap.prefs', JSON.stringify({ language: l, theme: 'dark' })), language)
    await logIn(context, root, demo, 'commander')
    const page = await context.newPage()
    await page.goto(root + path)
    await expect(page.getByTestId('banner-origin'), `${root}${path}`).toContainText(words[language])
    await context.close()
  }
}

test('a page whose address the proxy changes says why it has no live connection, over http, https and at localhost', async ({ browser }) => {
  await withServer([], async (demo) => {
    const rewritten: [string, string][] = [
      ['proxy_set_header Host              $http_host;', ''],
      ['proxy_set_header X-Forwarded-Host  $http_host;', ''],
    ]
    await withNginx('nginx.conf', upstreamOf(demo), rewritten, async ({ plain, secure }) => {
      const [http, https, localhost] = [`http://${plain}`, `https://${secure}`, `http://${plain.replace('127.0.0.1', 'localhost')}`]
      await saysWhy(browser, demo, http, { zh: `--origin ${http}`, en: `--origin ${http}` })
      for (const root of [https, localhost]) await saysWhy(browser, demo, root, { zh: `--origin ${root}`, en: '' }, pages.slice(0, 1))
    })
  })
})

test('a proxy that does not pass WebSockets on is told from a server that refuses', async ({ browser }) => {
  await withServer(['--proxy', '127.0.0.1'], async (demo) => {
    await withNginx('nginx.conf', upstreamOf(demo), [['proxy_set_header Upgrade    $http_upgrade;', '']], async ({ plain }) => {
      await saysWhy(browser, demo, `http://${plain}`, { zh: '代理没有转发 WebSocket', en: 'does not pass WebSockets on' }, pages.slice(0, 2))
    })
  })
})
