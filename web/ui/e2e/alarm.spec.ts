// Whatever page is open: an alarm is seen, heard until somebody answers, and said where it cannot be heard.
// Tones are counted where they are made, vibrations where they are asked for. Minutes go by on the page's clock.

import type { Page } from '@playwright/test'
import { alertOf, clearAtOnce, expect, phone, publish } from './fixtures'
import { answerAll, armBar, armedPhone, clear, heard, listen, live, open, ownCity, raise, siren } from './alarmkit'

const test = ownCity()

const bar = (page: Page) => page.getByTestId('alarm-bar')
const takeoverOf = (page: Page) => page.getByTestId('takeover')
/** The rings within which alerts that came within so many milliseconds may be told: those of 4 s are one. */
const ringsIn = (ms: number) => 1 + Math.floor(ms / 4000)

test('a red behind a blue takes the phone and rings; so does a rise of what is on the screen', async ({ as, demo, steward, sensor }) => {
  const [a, b, c] = [await sensor('370602'), await sensor('370602'), await sensor('370602')]
  const { page, complaints } = await as('r370602', { context: phone })
  await armedPhone(page)
  const takeover = takeoverOf(page)

  await raise(demo, steward, a, 3.1, 4)
  await expect(takeover).toHaveAttribute('data-level', '4')
  await expect.poll(() => heard(page)).toBe(2 + siren.chime)
  const vibrated = await page.evaluate(() => window.heard.vibrations)

  const red = await raise(demo, steward, b, 4.9, 1)
  await expect(takeover).toHaveAttribute('data-id', String(red))
  await expect(takeover).toHaveAttribute('data-level', '1')
  await expect(page.getByTestId('takeover-more')).toContainText('1')
  await expect.poll(() => heard(page)).toBe(2 + siren.chime + siren.red)
  expect(await page.evaluate(() => window.heard.vibrations)).toBeGreaterThan(vibrated)

  // F3: yellow on the screen rises to red under the same id.
  await takeover.getByTestId('phone-ack').click()
  await expect(takeover).toHaveAttribute('data-level', '4')
  const rising = await raise(demo, steward, c, 3.6, 3)
  await expect(takeover).toHaveAttribute('data-id', String(rising))
  const before = await heard(page)
  await raise(demo, steward, c, 4.9, 1)
  await expect(takeover).toHaveAttribute('data-level', '1')
  await expect.poll(() => heard(page)).toBeGreaterThanOrEqual(before + siren.red)
  expect(complaints).toEqual([])
})

test('eleven reds behind a blue take the screen, the newest first, and are one siren', { tag: '@wide' }, async ({ as, demo, steward, sensor }) => {
  const blue = await sensor('370611')
  const reds = []
  for (let i = 0; i < 11; i++) reds.push(await sensor('3706'))
  const { page } = await as('commander', { context: phone })
  await armedPhone(page)
  await raise(demo, steward, blue, 3.1, 4)
  await expect(takeoverOf(page)).toHaveAttribute('data-level', '4')
  await expect.poll(() => heard(page)).toBe(2 + siren.chime)

  const began = Date.now()
  await Promise.all(reds.map((sensor) => publish(demo, sensor, 4.9)))
  await expect(page.getByTestId('takeover-more')).toContainText('11')
  await expect(takeoverOf(page)).toHaveAttribute('data-level', '1')
  const rang = ((await heard(page)) - 2 - siren.chime) / siren.red
  expect(Number.isInteger(rang)).toBe(true)
  expect(rang).toBeGreaterThanOrEqual(1)
  expect(rang).toBeLessThanOrEqual(ringsIn(Date.now() - began))
  const { items } = (await (await steward.get('/api/v1/alerts', { params: { open: true, level: 1 } })).json()) as { items: { id: number; risen_at: string }[] }
  const newest = items.sort((x, y) => Date.parse(y.risen_at) - Date.parse(x.risen_at) || y.id - x.id)[0]!
  await expect(takeoverOf(page)).toHaveAttribute('data-id', String(newest.id))
})

test('fifteen reds at once are one siren, which is repeated until this unit has answered', async ({ as, demo, steward, sensor }) => {
  const reds = []
  for (let i = 0; i < 15; i++) reds.push(await sensor('3706'))
  const last = await sensor('3706')
  const { page } = await as('commander')
  await answerAll(page.context().request)
  await page.clock.install()
  await open(page, '/admin/rules')
  await expect(bar(page)).toBeVisible()
  await armBar(page)
  await expect(page.getByTestId('alarm-calm')).toBeVisible()
  const before = await heard(page)
  const began = Date.now()
  await Promise.all(reds.map((sensor) => publish(demo, sensor, 4.9)))
  await expect(bar(page)).toHaveAttribute('data-waiting', '15')
  const first = ((await heard(page)) - before) / siren.red
  expect([Number.isInteger(first), first >= 1, first <= ringsIn(Date.now() - began)]).toEqual([true, true, true])

  for (let ring = 1; ring <= 3; ring++) {
    const was = await heard(page)
    await page.clock.fastForward(31_000)
    await expect.poll(() => heard(page)).toBe(was + siren.red)
  }
  await answerAll(page.context().request)
  await expect(page.getByTestId('alarm-calm')).toBeVisible()
  const quiet = await heard(page)
  await page.clock.fastForward(60_000)
  // The next sound is that of the next alert.
  await raise(demo, steward, last, 3.1, 4)
  await expect(bar(page)).toHaveAttribute('data-level', '4')
  await expect.poll(() => heard(page)).toBe(quiet + siren.chime)
})

test('an open red that nobody confirmed takes the screen and rings after a reload, a login and a gap', async ({ as, demo, steward, sensor }) => {
  const device = await sensor('370612')
  const { page } = await as('r370612', { context: phone })
  await armedPhone(page)
  const red = await raise(demo, steward, device, 4.9, 1)
  await expect(takeoverOf(page)).toHaveAttribute('data-id', String(red))

  // The browser takes the right to sound away with a reload: the screen is taken, and the first touch rings.
  await page.reload()
  await expect(takeoverOf(page)).toHaveAttribute('data-id', String(red))
  await expect(page.getByTestId('takeover-sound')).toBeVisible()
  const silent = await heard(page)
  await page.getByTestId('takeover-sound').click()
  await expect.poll(() => heard(page)).toBe(silent + siren.red)

  const { page: fresh } = await as(null, { context: phone })
  await open(fresh, '/login?next=/m')
  await fresh.getByTestId('login-user').fill('r370612')
  await fresh.getByTestId('login-password').fill(demo.accounts.find((a) => a.user === 'r370612')!.password)
  await fresh.getByTestId('login-submit').click()
  await expect(takeoverOf(fresh)).toHaveAttribute('data-id', String(red))
  await expect.poll(() => heard(fresh)).toBe(siren.red)
})

test('after an absence that the server cannot replay, what was put off rings again', { tag: '@wide' }, async ({ as, demo, steward, sensor }) => {
  const device = await sensor('370613')
  const { page } = await as('r370613', { context: phone })
  let gap = false
  let drop: () => Promise<void> = () => Promise.resolve()
  const answers: boolean[] = []
  await page.routeWebSocket(/\/ws$/, (ws) => {
    const server = ws.connectToServer()
    drop = () => ws.close({ code: 4900 })
    // The page says where it stood in a log that is no more: the server's answer is its own.
    ws.onMessage((message) => server.send(gap && typeof message === 'string' ? message.replace(/"epoch":"[^"]*"/, '"epoch":"00000000-0000-4000-8000-000000000000"') : message))
    server.onMessage((message) => {
      const frame = typeof message === 'string' ? (JSON.parse(message) as { type: string; recovered?: boolean }) : { type: '' }
      if (frame.type === 'welcome') answers.push(frame.recovered === true)
      ws.send(message)
    })
  })
  await armedPhone(page)
  const red = await raise(demo, steward, device, 4.9, 1)
  await expect(takeoverOf(page)).toHaveAttribute('data-id', String(red))
  await page.getByTestId('takeover-later').click()
  await expect(takeoverOf(page)).toHaveCount(0)
  const before = await heard(page)
  gap = true
  answers.length = 0
  await drop()
  await expect.poll(() => answers).toContain(false)
  await expect(takeoverOf(page)).toHaveAttribute('data-id', String(red))
  await expect.poll(() => heard(page)).toBeGreaterThanOrEqual(before + siren.red)
})

test('on every page a red is heard and seen: bar, toast and title together', async ({ as, demo, steward, sensor }) => {
  const device = await sensor('370614')
  await clearAtOnce(steward, device)
  const { page } = await as('r370614')
  await answerAll(page.context().request)
  const county = ['/', '/admin/rules', '/events', '/alerts', '/silences', '/about']
  for (const path of county) {
    await open(page, path)
    await expect(page.getByTestId('alarm-calm')).toBeVisible()
    await armBar(page)
    const before = await heard(page)
    const id = await raise(demo, steward, device, 4.9, 1)
    await expect(bar(page)).toHaveAttribute('data-id', String(id))
    // What is there at the moment at which the bar is: nothing waits for a timer.
    const seen = await page.evaluate(() => ({
      title: document.title,
      toast: document.querySelector('[data-testid="alarm-toast"]')?.textContent ?? '',
      front: document.querySelector('[data-testid="alarm-front"]')?.textContent ?? '',
      icon: document.querySelector<HTMLLinkElement>('link[rel="icon"]')!.href,
    }))
    expect(seen.title, path).toMatch(/^\(1\) /)
    expect(seen.toast, path).toContain('红色')
    expect(seen.front, path).toContain('红色')
    expect(seen.icon, path).toMatch(/^data:image/)
    await expect.poll(() => heard(page), path).toBe(before + siren.red)
    await clear(demo, steward, device)
    await expect(page.getByTestId('alarm-calm')).toBeVisible()
    await expect(page).not.toHaveTitle(/^\(/)
  }
})

test('what a filter, the scroll or a folded panel hides is pinned in words, and totals are of all', async ({ as, demo, steward, sensor }) => {
  const device = await sensor('370685')
  const others = []
  for (let i = 0; i < 3; i++) others.push(await sensor('370685'))
  await clearAtOnce(steward, device)
  const { page } = await as('r370685')
  await open(page, '/')
  await live(page)
  const total = page.getByTestId('alert-total')
  const count = (name: string) => page.getByTestId(name).getAttribute('data-count').then(Number)
  const [before, reds] = [await count('alert-total'), await count('header-count-1')] // what tests before this one left open in the county
  for (const [i, other] of others.entries()) await raise(demo, steward, other, 3.6, 3).then(() => expect(total).toHaveAttribute('data-count', String(before + i + 1)))

  const red = async () => {
    const id = await raise(demo, steward, device, 4.9, 1)
    await expect(bar(page)).toHaveAttribute('data-id', String(id))
    await expect(page.getByTestId('header-count-1')).toHaveAttribute('data-count', String(reds + 1))
    return id
  }
  const over = async () => {
    await clear(demo, steward, device)
    await expect(page.getByTestId('header-count-1')).toHaveAttribute('data-count', String(reds))
  }
  await page.getByTestId('alert-filter').click()
  const filter = page.getByRole('group', { name: '筛选', exact: false }).first()
  const ways: Record<string, () => Promise<void>> = {
    'another level': () => page.getByTestId('header-count-3').click(),
    'another state': () => filter.getByRole('button', { name: '已办结' }).click(),
    'a text': () => filter.getByRole('searchbox').fill('没有这样的设备'),
  }
  for (const [name, narrow] of Object.entries(ways)) {
    await narrow()
    const id = await red()
    await expect(page.getByTestId('alerts-filtered'), name).toContainText(`${reds + 1} 条红色被筛选隐藏`)
    await expect(total, name).toHaveAttribute('data-count', String(before + others.length + 1))
    await expect(page.getByTestId(`alert-item-${id}`), name).toHaveCount(0)
    await page.getByTestId('alerts-filtered').click()
    await expect(page.getByTestId(`alert-item-${id}`), name).toBeVisible()
    await over()
  }

  // Folded: the tab at the edge says it.
  await page.keyboard.press('a')
  await expect(page.getByTestId('alert-panel')).toBeHidden()
  await red()
  await expect(page.getByTestId('alert-tab')).toContainText(`${reds + 1} 条红色未显示`)
  await page.getByTestId('alert-tab').click()
  await over()

  // Scrolled to the end of a list that is too long for the window.
  await page.setViewportSize({ width: 1366, height: 420 })
  const list = page.getByTestId('alert-list')
  await list.evaluate((e) => e.scrollTo(0, e.scrollHeight))
  expect(await list.evaluate((e) => e.scrollTop)).toBeGreaterThan(0)
  const id = await red()
  await expect(page.getByTestId('alerts-above')).toContainText(`${reds + 1} 条红色`)
  await page.getByTestId('alerts-above').click()
  await expect(page.getByTestId(`alert-item-${id}`)).toBeInViewport()
})

test('a rise rings, is named as one, and sorts by its time', async ({ as, demo, steward, sensor }) => {
  const [a, b] = [await sensor('370683'), await sensor('370683')]
  const { page } = await as('r370683')
  await open(page, '/')
  await live(page)
  await armBar(page)
  const rising = await raise(demo, steward, a, 3.6, 3)
  const orange = await raise(demo, steward, b, 4.1, 2)
  const rows = page.locator('[data-testid^=alert-item-]')
  await expect(rows.first()).toHaveAttribute('data-id', String(orange))
  await raise(demo, steward, b, 4.9, 1)
  await expect(rows.first()).toHaveAttribute('data-level', '1')
  const before = await heard(page)
  await raise(demo, steward, a, 4.9, 1)
  // Two reds: the one that rose last stands first, though its episode is the older one.
  await expect(rows.first()).toHaveAttribute('data-id', String(rising))
  await expect(rows.first().getByTestId('alert-badge')).toHaveText('升级为红色 · 刚刚')
  await expect(page.getByTestId('alarm-toast').last()).toContainText('级别升高')
  await expect.poll(() => heard(page)).toBeGreaterThanOrEqual(before + siren.red)
})

test('orange is repeated too, softer than red', { tag: '@wide' }, async ({ as, demo, steward, sensor }) => {
  const [a, b] = [await sensor('370682'), await sensor('370682')]
  const { page } = await as('r370682', { context: phone })
  await page.clock.install()
  await armedPhone(page)
  const loudest = () => page.evaluate(() => Math.max(...window.heard.gains.splice(0)))
  await loudest()
  const before = await heard(page)
  await raise(demo, steward, a, 4.1, 2)
  await expect.poll(() => heard(page)).toBe(before + siren.orange)
  await page.clock.fastForward(31_000)
  await expect.poll(() => heard(page)).toBe(before + 2 * siren.orange)
  const soft = await loudest()
  await raise(demo, steward, b, 4.9, 1)
  await expect.poll(() => heard(page)).toBeGreaterThanOrEqual(before + 2 * siren.orange + siren.red)
  expect(soft).toBeGreaterThan(0)
  expect(await loudest()).toBeGreaterThan(soft)
})

test('a snooze is two minutes, and any rise ends it', async ({ as, demo, steward, sensor }) => {
  const [a, b] = [await sensor('370687'), await sensor('370687')]
  const { page } = await as('r370687', { context: phone })
  await page.clock.install()
  await armedPhone(page)
  const takeover = takeoverOf(page)
  const red = await raise(demo, steward, a, 4.9, 1)
  await expect(takeover).toHaveAttribute('data-id', String(red))
  await page.getByTestId('takeover-later').click()
  await expect(takeover).toHaveCount(0)
  await expect(page.getByTestId('phone-snoozed')).toBeVisible()
  await page.clock.fastForward(100_000)
  await expect(takeover).toHaveCount(0)
  const before = await heard(page)
  await page.clock.fastForward(25_000)
  await expect(takeover).toHaveAttribute('data-id', String(red))
  await expect.poll(() => heard(page)).toBeGreaterThanOrEqual(before + siren.red)

  await page.getByTestId('takeover-later').click()
  await expect(takeover).toHaveCount(0)
  const again = await heard(page)
  await raise(demo, steward, b, 3.1, 4)
  await expect(takeover).toHaveAttribute('data-id', String(red))
  await expect.poll(() => heard(page)).toBeGreaterThanOrEqual(again + siren.red)
})

test('a phone off line says so over what has taken its screen', async ({ as, demo, steward, sensor }) => {
  const device = await sensor('370686')
  const { page } = await as('r370686', { context: phone })
  await open(page, '/m')
  await live(page)
  await raise(demo, steward, device, 4.9, 1)
  await expect(takeoverOf(page)).toHaveAttribute('data-level', '1')
  await page.context().setOffline(true)
  const line = page.getByTestId('banner-stale')
  await expect(line).toBeVisible()
  const onTop = await line.evaluate((e) => {
    const box = e.getBoundingClientRect()
    return [box.top >= 0, box.bottom <= innerHeight, e.contains(document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2))]
  })
  expect(onTop).toEqual([true, true, true])
  await expect(takeoverOf(page)).toBeVisible()
})

test('a page says when it cannot be heard, and the city sees it of a county', async ({ as, demo, steward, sensor }) => {
  const device = await sensor('370602')
  const { page } = await as('r370602', { context: phone })
  await open(page, '/m')
  await live(page)
  await expect(page.getByTestId('sound-off')).toBeVisible()
  const id = await raise(demo, steward, device, 3.6, 3)

  const { page: city } = await as('commander')
  await listen(city)
  await city.goto(`/?alert=${id}`)
  await expect(bar(city)).toHaveAttribute('data-sound', 'off')
  await expect(city.getByTestId('alarm-cannot')).toContainText('本页')
  const county = city.getByTestId('alert-deliveries').locator('[data-division="370602"]')
  await expect(county).toHaveAttribute('data-connected', '1')
  await expect(county.getByTestId('delivery-silent')).toBeVisible()

  await page.getByTestId('takeover-sound').click()
  await expect(page.getByTestId('sound-toggle')).toHaveAttribute('data-audible', 'true')
  await publish(demo, device, 3.7) // the city's card asks anew with the next change
  await raise(demo, steward, device, 4.1, 2)
  await expect(county.getByTestId('delivery-silent')).toHaveCount(0)

  // What the browser stops is said as well as what was never allowed.
  await armBar(city)
  await expect(city.getByTestId('alarm-cannot')).toHaveCount(0)
  await city.evaluate(() => Promise.all(window.heard.contexts.map((c) => c.suspend())))
  await expect(bar(city)).toHaveAttribute('data-sound', 'suspended')
  await expect(city.getByTestId('alarm-cannot')).not.toBeEmpty()
  await city.getByTestId('alarm-test').click()
  await expect(bar(city)).toHaveAttribute('data-sound', 'armed')
  await city.getByTestId('alarm-mute').click()
  await expect(bar(city)).toHaveAttribute('data-sound', 'muted')
  await expect(city.getByTestId('alarm-cannot')).not.toBeEmpty()
  expect((await alertOf(steward, device.id))!.handling).toBe('new')
})

test('a tab that is hidden, and one that the browser stopped, is said', { tag: '@wide' }, async ({ as }) => {
  const { page } = await as('commander')
  await page.clock.install()
  await open(page, '/about')
  await armBar(page)
  const cannot = page.getByTestId('alarm-cannot')
  await expect(cannot).toHaveCount(0)
  // No browser without a screen hides a tab: the page is told what a browser would tell it.
  const show = (state: 'hidden' | 'visible') =>
    page.evaluate((state) => {
      Object.defineProperty(document, 'visibilityState', { configurable: true, get: () => state })
      document.dispatchEvent(new Event('visibilitychange'))
    }, state)
  await show('hidden')
  await expect(cannot).toContainText('页面在后台')
  await page.clock.fastForward(6_000) // as long as no tick came
  await expect(cannot).toContainText('被浏览器暂停过')
  await show('visible')
  await expect(cannot).toContainText('被浏览器暂停过')
  // It is said for a minute after the first tick that was seen.
  const afterAMinute = async () => {
    await page.clock.fastForward(61_000)
    return cannot.count()
  }
  await expect.poll(afterAMinute).toBe(0)
})
