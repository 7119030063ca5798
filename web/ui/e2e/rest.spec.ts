// The rest of the walk at the desk: a header that is whole, a search that finds, links that carry what was seen and
// leave the receiver's choices alone, and addresses that no page has.

import type { APIRequestContext, Page } from '@playwright/test'
import type { Demo } from './demo'
import { alertOf, expect, publish, test, type Sensor } from './fixtures'

type Debug = { mapReady: boolean; view: { zoom: number; center: [number, number] }; project(at: [number, number]): [number, number] }
type Shown = { __onemap?: Debug }

async function open(page: Page, path: string): Promise<void> {
  await page.goto(path)
  await page.waitForFunction(() => (window as unknown as Shown).__onemap?.mapReady === true)
  await expect(page.getByTestId('live-status')).toHaveAttribute('data-status', 'live')
}
const view = (page: Page) => page.evaluate(() => (window as unknown as Shown).__onemap!.view)

async function raise(demo: Demo, steward: APIRequestContext, sensor: Sensor, value: number): Promise<number> {
  await publish(demo, sensor, value)
  await expect.poll(() => alertOf(steward, sensor.id).then((a) => a?.level)).toBeTruthy()
  return (await alertOf(steward, sensor.id))!.id
}

/** What of the header's controls and figures is cut off, outside, or lies under another one. */
const headerFaults = (page: Page) =>
  page.getByTestId('header').evaluate((header) => {
    const faults: string[] = []
    if (header.scrollWidth > header.clientWidth) faults.push(`the header is ${header.scrollWidth} px wide in ${header.clientWidth}`)
    if (document.documentElement.scrollWidth > innerWidth) faults.push(`the page is ${document.documentElement.scrollWidth} px wide in ${innerWidth}`)
    for (const e of header.querySelectorAll<HTMLElement>('button, input, a, [data-testid]')) {
      const box = e.getBoundingClientRect()
      if (!box.width) continue
      const name = e.dataset.testid ?? e.textContent
      if (box.left < 0 || box.right > innerWidth) faults.push(`${name} reaches from ${box.left} to ${box.right}`)
      const top = document.elementFromPoint(box.left + box.width / 2, box.top + box.height / 2)
      if (!top || !(e.contains(top) || top.contains(e))) faults.push(`${name} lies under ${top?.outerHTML.slice(0, 60)}`)
      if (e.matches('button, .num') && e.scrollWidth > e.clientWidth + 1 && getComputedStyle(e).overflow !== 'visible') faults.push(`${name} is cut`)
    }
    return faults
  })

for (const language of ['zh', 'en'] as const) {
  for (const muted of [false, true]) {
    test(`the header is whole on every desk (${language}, ${muted ? 'sound off' : 'sound on'})`, { tag: '@wide' }, async ({ as }) => {
      const { page } = await as('commander', { language })
      await page.addInitScript((off) => {
        const prefs = JSON.parse(localStorage.getItem('onemap.prefs')!) as object
        localStorage.setItem('onemap.prefs', JSON.stringify({ ...prefs, muted: off }))
      }, muted)
      for (const width of [1024, 1093, 1280, 1366, 1440, 1920]) {
        await page.setViewportSize({ width, height: 768 })
        await page.goto('/')
        await expect(page.getByTestId('live-status')).toHaveAttribute('data-status', 'live')
        expect(await headerFaults(page), `${width} px`).toEqual([])
        await page.getByTestId('user-menu').click()
        await expect(page.getByTestId('logout')).toBeInViewport()
        await page.keyboard.press('Escape')
      }
    })
  }
}

const place: [number, number] = [121.39, 37.54]
const writings = [
  '121.39,37.54', '37.54,121.39', '121.39 37.54', '121°23′24″E 37°32′24″N', '37°32\'24"N 121°23\'24"E', '东经121度23分24秒，北纬37度32分24秒', '北纬37.54 东经121.39',
  '121,39 37,54', '１２１．３９，３７．５４', 'lat: 37.54, lng: 121.39', '37 32 24 121 23 24',
]

test('a place that is looked for, in any way of writing it, gets a pin where it is', { tag: '@wide' }, async ({ as }) => {
  const { page } = await as('commander')
  await open(page, '/')
  for (const text of writings) {
    await page.getByTestId('search').fill(text)
    await expect(page.getByTestId('search-place'), text).toHaveCount(1)
    await page.keyboard.press('Enter')
    const pin = page.getByTestId('map-pin')
    await expect(pin, text).toContainText('121.39000')
    await expect(pin, text).toContainText('37.54000')
    await expect.poll(() => page.evaluate((at) => {
      const map = document.querySelector('[data-testid="map"]')!.getBoundingClientRect()
      const foot = document.querySelector('[data-testid="map-pin"]')!.getBoundingClientRect()
      const [x, y] = (window as unknown as Shown).__onemap!.project(at)
      return Math.hypot(foot.left + foot.width / 2 - map.left - x, foot.bottom - map.top - y)
    }, place), text).toBeLessThan(4)
    await expect(page).toHaveURL(/pin=121\.39,37\.54|pin=121\.39%2C37\.54/)
    await page.getByTestId('map-pin-close').click()
    await expect(pin).toHaveCount(0)
  }
  // Both numbers can be either: both are offered, the one in China first.
  await page.getByTestId('search').fill('40.2, 80.1')
  await expect(page.getByTestId('search-place')).toHaveCount(2)
  await page.getByTestId('search').fill('121°61′E 37°32′N')
  await expect(page.getByTestId('search-none')).toBeVisible()
  await expect(page.getByTestId('search-place')).toHaveCount(0)
})

test('a division that was abolished leads to the one that took its place, and each place is offered once', { tag: '@wide' }, async ({ as }) => {
  const { page } = await as('commander')
  await open(page, '/')
  const search = page.getByTestId('search')
  const hits = page.getByTestId('search-hit')
  for (const text of ['长岛县', '370634']) {
    await search.fill(text)
    const old = hits.filter({ hasText: '长岛县' })
    await expect(old.first(), text).toContainText('蓬莱')
    await expect(old.first(), text).toContainText('2020')
    await expect(old, text).toHaveCount(1)
  }
  await search.press('Enter')
  await expect.poll(async () => Math.hypot((await view(page)).center[0] - 120.76, (await view(page)).center[1] - 37.8)).toBeLessThan(0.5)

  for (const text of ['莱山', '蓬莱', '栖霞', 'lk', '南长山']) {
    await search.fill(text)
    await expect(hits.first(), text).toBeVisible()
    await expect(page.getByText('正在搜索')).toHaveCount(0)
    const lines = await hits.evaluateAll((all) => all.map((e) => e.textContent.replace(/\s+/g, ' ').trim()))
    expect(new Set(lines).size, `${text}: ${lines.join(' | ')}`).toBe(lines.length)
    const names = await hits.and(page.locator('[data-kind="division"]')).locator('.name').allTextContents()
    expect(new Set(names).size, `${text}: ${names.join(' | ')}`).toBe(names.length)
    expect(lines.join(' '), text).not.toMatch(/(^| )3706\d\d\b/) // a county has a name
  }
})

test('an open alert is found by what it is, by its device, by its county and by its number', async ({ as, demo, steward, sensor }) => {
  const device = await sensor('370681')
  const id = await raise(demo, steward, device, 4.8)
  const { alert } = (await (await steward.get(`/api/v1/alerts/${id}`)).json()) as { alert: { hazard_name: { zh: string } } }
  const { page } = await as('commander')
  await open(page, '/')
  for (const text of [`${alert.hazard_name.zh} 龙口`, device.id, device.nameZh, `#${id}`]) {
    await page.getByTestId('search').fill(text)
    const hit = page.locator('[data-testid="search-hit"][data-kind="alert"]', { hasText: `#${id}` })
    await expect(hit, text).toHaveCount(1)
    await expect(hit, text).toContainText('龙口')
  }
  for (const text of ['洪水', '龙口']) {
    await page.getByTestId('search').fill(text)
    await expect(page.locator('[data-testid="search-hit"][data-kind="alert"]').first(), text).toBeVisible()
  }
  await page.getByTestId('search').fill(`#${id}`)
  await page.locator('[data-testid="search-hit"][data-kind="alert"]', { hasText: `#${id}` }).click()
  await expect(page.getByTestId('alert-card')).toBeVisible()
  await expect(page).toHaveURL(new RegExp(`alert=${id}`))
  await expect.poll(async () => (await view(page)).zoom).toBeGreaterThan(12)
})

const prefsOf = (page: Page) => page.evaluate(() => localStorage.getItem('onemap.prefs'))

test('a link carries what A saw to B, and B keeps the own language and theme', { tag: '@wide' }, async ({ as, demo, steward, sensor }) => {
  const device = await sensor('370687')
  const id = await raise(demo, steward, device, 4.8)
  const { page: a } = await as('commander')
  await open(a, '/')
  await a.getByTestId(`alert-item-${id}`).click()
  await expect.poll(async () => (await view(a)).zoom).toBeGreaterThan(12)
  await a.getByTestId('header-count-1').click()
  await a.keyboard.press('t')
  await a.getByRole('button', { name: '24 小时' }).last().click()
  await a.getByTestId('drawer-table').click()
  await a.getByTestId('user-menu').click()
  await a.getByTestId('menu-share').click()
  const plain = await a.getByTestId('share-link').inputValue()
  expect(plain).not.toMatch(/lang=|theme=/)
  await a.getByTestId('share-prefs').check()
  const dressed = await a.getByTestId('share-link').inputValue()

  const { page: b } = await as('observer', { language: 'en', theme: 'light' })
  await open(b, '/')
  const own = await prefsOf(b)
  await open(b, plain)
  await expect(b.locator('html')).toHaveAttribute('lang', 'en')
  await expect(b.locator('html')).toHaveAttribute('data-theme', 'light')
  await expect(b.getByTestId('alert-card')).toBeVisible()
  await expect(b.getByTestId('header-count-1')).toHaveAttribute('aria-pressed', 'true')
  await expect(b.getByTestId('drawer-table')).toHaveAttribute('aria-selected', 'true')
  await b.getByRole('tab', { name: 'Charts' }).click()
  await expect(b.getByTestId('drawer').getByRole('button', { name: '24 h' })).toHaveAttribute('aria-pressed', 'true')
  const [there, here] = [await view(a), await view(b)]
  expect(here.zoom).toBeCloseTo(there.zoom, 0)
  expect(Math.hypot(here.center[0] - there.center[0], here.center[1] - there.center[1])).toBeLessThan(0.02)
  expect(await prefsOf(b)).toBe(own)

  await open(b, dressed)
  await expect(b.locator('html')).toHaveAttribute('lang', 'zh-CN')
  await expect(b.locator('html')).toHaveAttribute('data-theme', 'dark')
  expect(await prefsOf(b)).toBe(own)
  await open(b, '/')
  await expect(b.locator('html')).toHaveAttribute('lang', 'en')
  await expect(b.locator('html')).toHaveAttribute('data-theme', 'light')
})

test('an address that no page has is the page’s own 404 for a browser, and a problem for a program', { tag: '@wide' }, async ({ as, demo }) => {
  for (const language of ['zh', 'en'] as const) {
    const { page } = await as('observer', { language })
    for (const path of ['/nosuch/page', '/nosuch', '/admin/nosuch', '/m/nosuch', '/alerts/58']) {
      const answer = await page.goto(path)
      expect(answer?.status(), path).toBe(404)
      await expect(page.getByTestId('nowhere'), path).toContainText(path)
      if (language === 'zh') expect(await page.getByTestId('nowhere').getByRole('heading').textContent()).not.toMatch(/[a-z]/i)
      await page.getByTestId('home').click()
      await expect(page.getByTestId('live-status')).toBeVisible()
    }
    for (const [path, accept] of [['/nosuch', 'application/json'], ['/nosuch', '*/*'], ['/api/v1/nosuch', 'text/html'], ['/api/v1/nosuch', 'application/json']] as const) {
      const answer = await page.request.get(demo.http + path, { headers: { Accept: accept } })
      expect(answer.status(), `${path} ${accept}`).toBe(404)
      expect(answer.headers()['content-type'], `${path} ${accept}`).toContain('application/problem+json')
    }
  }
})

test('the card of a feature shows every digit, and an edit of its name changes none', async ({ as, steward }) => {
  const list = '/api/v1/layers/hospital/features'
  const { features } = (await (await steward.get(list, { params: { limit: 3 } })).json()) as { features: { id: number }[] }
  const { id } = features[2]!
  const patch = async (update: string) => {
    const { etag } = (await steward.get(list, { params: { limit: 1 } })).headers()
    const answer = await steward.patch(list, { data: Buffer.from(`{"update":[{"id":${id},${update}}]}`), headers: { 'Content-Type': 'application/json', 'If-Match': etag! } })
    expect(answer.status(), await answer.text()).toBe(200)
  }
  await patch('"fields":{"account":370602199001011238,"depth":0.12345678901234567890123}')
  await patch('"name":{"zh":"数位医院","en":"Digits hospital"}')
  const raw = (await (await steward.get(`${list}/${id}`)).text()).replace(/\s/g, '')
  expect(raw).toContain('"account":370602199001011238')
  expect(raw).toContain('"depth":0.12345678901234567890123')
  const { page } = await as('commander')
  await open(page, `/?card=hospital:${id}`)
  await expect(page.getByTestId('feature-card')).toContainText('数位医院')
  await expect(page.getByTestId('feature-card')).toContainText('370602199001011238')
  await expect(page.getByTestId('feature-card')).toContainText('0.12345678901234567890123')
})
