// The city's page, a wall and two counties' phones, all on one server, while the troubles of a night come one after
// the other. After each: no page claims what it cannot know, and no alarm is missed.

import { request, type APIRequestContext, type Browser, type BrowserContext, type BrowserContextOptions, type Page } from '@playwright/test'
import { send, type Demo, type Publisher } from './demo'
import { expect, phone, test } from './fixtures'
import { OwnServer } from './own'

interface Gauge extends Publisher {
  stream: string
  division: string
}
interface WireDevice {
  id: string
  division: string
  datastreams: { name: string; type: string }[]
}
interface WireAlert {
  id: number
  device_id: string
  level: number
}
interface Screen {
  name: string
  page: Page
  context: BrowserContext
  user: string
}
/** Every tone that the page has made: when it begins and ends, by the sound's own clock. */
type Ears = { tones: [number, number][] }

const counties = ['370602', '370613'] as const
const burst = 50
const ofCounty = 4
const redSiren = 6

let server: OwnServer
let demo: Demo
let steward: APIRequestContext
let city: Screen
let wall: Screen
let phones: Screen[]
let all: Screen[]
let gauges: Gauge[]

test.describe.configure({ mode: 'serial' })

const passwordOf = (user: string) => demo.accounts.find((a) => a.user === user)!.password

async function logIn(api: APIRequestContext, user: string): Promise<void> {
  const answer = await api.post(`${demo.http}/api/v1/session`, { data: { user, password: passwordOf(user) } })
  expect(answer.ok(), `login of ${user}: ${answer.status()}`).toBe(true)
}

async function openScreen(browser: Browser, name: string, user: string, path: string, options: BrowserContextOptions = {}): Promise<Screen> {
  const context = await browser.newContext({ baseURL: demo.http, ...options })
  await context.addInitScript(() => {
    const ears: Ears = Object.assign(window as unknown as Ears, { tones: [] })
    const entry = new WeakMap<AudioNode, [number, number]>()
    const { start, stop } = OscillatorNode.prototype
    const disconnect = AudioNode.prototype.disconnect as (this: AudioNode) => void
    OscillatorNode.prototype.start = function (this: OscillatorNode, when = 0) {
      const tone: [number, number] = [when, Infinity]
      ears.tones.push(tone)
      entry.set(this, tone)
      start.call(this, when)
    }
    OscillatorNode.prototype.stop = function (this: OscillatorNode, when = 0) {
      entry.get(this)![1] = when
      stop.call(this, when)
    }
    // A siren that another one takes the place of ends there and then.
    AudioNode.prototype.disconnect = function (this: AudioNode) {
      const tone = entry.get(this)
      if (tone) tone[1] = Math.min(tone[1], this.context.currentTime)
      disconnect.call(this)
    }
  })
  await logIn(context.request, user)
  const page = await context.newPage()
  await page.goto(path)
  return { name, page, context, user }
}

const tones = (s: Screen) => s.page.evaluate(() => (window as unknown as Ears).tones.length)

/** Tones that sound while another does: what two sirens at once would make. */
const overlapping = (s: Screen) =>
  s.page.evaluate(() => {
    const made = (window as unknown as Ears).tones.filter(([from, to]) => from < to).sort((a, b) => a[0] - b[0])
    return made.filter((tone, i) => i > 0 && tone[0] < made[i - 1]![1]).length
  })

async function live(...screens: Screen[]): Promise<void> {
  for (const s of screens) {
    await expect(s.page.getByTestId('live-status'), s.name).toHaveAttribute('data-status', 'live')
    await expect(s.page.getByTestId('watch'), s.name).toHaveAttribute('data-broken', 'false')
  }
}

/** A line above everything says that the page does not do its work. */
async function told(s: Screen, testId: string): Promise<void> {
  const banner = s.page.getByTestId(testId)
  await expect(banner, s.name).toBeVisible()
  const onTop = () =>
    banner.evaluate((e) => {
      const box = e.getBoundingClientRect()
      return e.contains(document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2))
    })
  await expect.poll(onTop, s.name).toBe(true)
}

/** Takes a gauge of the county that has no alert, over its red threshold, and gives its alert. */
async function red(division: string): Promise<number> {
  const i = gauges.findIndex((g) => g.division.startsWith(division))
  expect(i, `a gauge of ${division} that has no alert`).toBeGreaterThanOrEqual(0)
  const [gauge] = gauges.splice(i, 1)
  await send(demo.mqtt, gauge!, JSON.stringify({ v: { [gauge!.stream]: 4.9 } }))
  return alertOf(gauge!.id)
}

async function openAlerts(): Promise<WireAlert[]> {
  const answer = await steward.get('/api/v1/alerts', { params: { open: true, limit: 500 } })
  return ((await answer.json()) as { items: WireAlert[] }).items
}

async function alertOf(device: string): Promise<number> {
  await expect.poll(async () => (await openAlerts()).find((a) => a.device_id === device)?.level).toBe(1)
  return (await openAlerts()).find((a) => a.device_id === device)!.id
}

/** The alert is in front of the city's page and the wall, and takes the phone of its county. */
async function seenEverywhere(id: number, county: Screen): Promise<void> {
  for (const s of [city, wall]) await expect(s.page.getByTestId('alarm-bar'), s.name).toHaveAttribute('data-id', String(id))
  await expect(county.page.getByTestId('takeover'), county.name).toHaveAttribute('data-id', String(id))
}

/** Every open alert is acknowledged by its county, so that the next trouble begins in silence. */
async function answerAll(): Promise<void> {
  const open = await openAlerts()
  const commander = await request.newContext({ baseURL: demo.http })
  await logIn(commander, 'commander')
  for (const { user, api } of [...phones.map((p) => ({ user: p.user, api: p.context.request })), { user: 'commander', api: commander }]) {
    const { items } = (await (await api.get(`${demo.http}/api/v1/alerts`, { params: { open: true, limit: 500 } })).json()) as { items: WireAlert[] }
    if (items.length === 0) continue
    const answer = await api.post(`${demo.http}/api/v1/alerts/bulk`, { data: { action: 'acknowledge', ids: items.map((a) => a.id), note: '' } })
    expect(answer.ok(), `${user}: ${await answer.text()}`).toBe(true)
  }
  await commander.dispose()
  expect(open.length).toBeGreaterThan(0)
  for (const s of phones) await expect(s.page.getByTestId('takeover'), s.name).toHaveCount(0)
  for (const s of [city, wall]) await expect.poll(() => s.page.getByTestId('alarm-front').count(), s.name).toBe(0)
}

test.beforeAll(async ({ browser }) => {
  server = new OwnServer()
  demo = await server.start()
  steward = await request.newContext({ baseURL: demo.http })
  await logIn(steward, 'steward')
  const { items } = (await (await steward.get('/api/v1/devices')).json()) as { items: WireDevice[] }
  const water = items.filter((d) => d.datastreams.some((s) => s.type === 'water_level'))
  gauges = []
  for (const d of water) {
    const { secret } = (await (await steward.post(`/api/v1/devices/${d.id}/secret`)).json()) as { secret: string }
    const stream = d.datastreams.find((s) => s.type === 'water_level')!.name
    gauges.push({ id: d.id, password: secret, topic: `onemap/v1/${d.division}/${d.id}/obs`, stream, division: d.division })
  }
  city = await openScreen(browser, 'the city', 'commander', '/')
  wall = await openScreen(browser, 'the wall', 'observer', '/?wall=1', { viewport: { width: 1920, height: 1080 } })
  phones = [
    await openScreen(browser, 'the phone of 370602', 'r370602', '/m', phone),
    await openScreen(browser, 'the phone of 370613', 'r370613', '/m', phone),
  ]
  all = [city, wall, ...phones]
  await live(...all)
  await city.page.getByTestId('alarm-test').click()
  await expect(city.page.getByTestId('alarm-bar')).toHaveAttribute('data-sound', 'armed')
  for (const s of phones) {
    await s.page.getByTestId('sound-off').click()
    await expect(s.page.getByTestId('sound-toggle')).toHaveAttribute('data-audible', 'true')
  }
})

test.afterAll(async () => {
  for (const s of all ?? []) await s.context.close()
  await steward?.dispose()
  await server?.remove()
})

test('fifty reds in a second: all are counted, the worst is in front, and one siren sounds', async () => {
  const mine = counties.flatMap((c) => gauges.filter((g) => g.division.startsWith(c)).slice(0, ofCounty))
  expect(mine).toHaveLength(counties.length * ofCounty)
  const others = gauges.filter((g) => !counties.some((c) => g.division.startsWith(c)))
  const chosen = [...mine, ...others].slice(0, burst)
  expect(chosen).toHaveLength(burst)
  gauges = gauges.filter((g) => !chosen.includes(g))
  const before = await Promise.all([city, ...phones].map(tones))
  await Promise.all(chosen.map((g) => send(demo.mqtt, g, JSON.stringify({ v: { [g.stream]: 4.9 } }))))
  await expect.poll(async () => (await openAlerts()).length).toBe(burst)

  for (const s of [city, wall]) {
    await expect(s.page.getByTestId('alarm-bar'), s.name).toHaveAttribute('data-waiting', String(burst))
    await expect(s.page.getByTestId('alarm-bar'), s.name).toHaveAttribute('data-level', '1')
    await expect(s.page.getByTestId('header-count-1'), s.name).toContainText(String(burst))
    await expect.poll(() => s.page.title(), s.name).toContain(String(burst))
  }
  for (const s of phones) {
    await expect(s.page.getByTestId('takeover'), s.name).toHaveAttribute('data-level', '1')
    await expect(s.page.getByTestId('takeover-more'), s.name).toContainText(String(ofCounty - 1))
  }
  for (const [i, s] of [city, ...phones].entries()) {
    await expect.poll(() => tones(s), s.name).toBeGreaterThanOrEqual(before[i]! + redSiren)
    expect(await overlapping(s), `${s.name}: sirens over each other`).toBe(0)
  }

  // The phone answers the one in front; the next takes its place.
  const takeover = phones[0]!.page.getByTestId('takeover')
  const first = await takeover.getAttribute('data-id')
  await takeover.getByTestId('phone-ack').click()
  await expect(takeover).not.toHaveAttribute('data-id', first!)
  await expect(city.page.getByTestId('alarm-bar')).toHaveAttribute('data-waiting', String(burst))
  await answerAll()
})

test('the network is cut: the pages say so, and what came meanwhile rings when it is back', async () => {
  const [cut] = phones
  for (const s of [city, cut!]) await s.context.setOffline(true)
  for (const s of [city, cut!]) await told(s, 'banner-stale')
  const id = await red(counties[0])
  await expect(wall.page.getByTestId('alarm-bar')).toHaveAttribute('data-id', String(id))
  await expect(cut!.page.getByTestId('takeover')).toHaveCount(0)
  const before = await Promise.all([city, cut!].map(tones))
  for (const s of [city, cut!]) await s.context.setOffline(false)
  await seenEverywhere(id, cut!)
  for (const [i, s] of [city, cut!].entries()) await expect.poll(() => tones(s), s.name).toBeGreaterThanOrEqual(before[i]! + redSiren)
  await live(...all)
  await answerAll()
})

test('the graphics are lost on every screen: the map is told and made again, and an alarm comes through meanwhile', async () => {
  const lose = (page: Page) =>
    page.evaluate(() => {
      const gl = document.querySelector<HTMLCanvasElement>('canvas.maplibregl-canvas')!.getContext('webgl2')!
      gl.getExtension('WEBGL_lose_context')!.loseContext()
    })
  for (const s of all) await s.page.waitForSelector('canvas.maplibregl-canvas')
  for (const s of all) await lose(s.page)
  const before = await Promise.all([city, phones[1]!].map(tones))
  const id = await red(counties[1])
  await seenEverywhere(id, phones[1]!)
  for (const [i, s] of [city, phones[1]!].entries()) await expect.poll(() => tones(s), s.name).toBeGreaterThanOrEqual(before[i]! + redSiren)
  for (const s of all) {
    await expect(s.page.locator('[data-part="map"]'), s.name).toHaveCount(0)
    const drawn = () => s.page.evaluate(() => document.querySelector<HTMLCanvasElement>('canvas.maplibregl-canvas')?.getContext('webgl2')?.isContextLost() === false)
    await expect.poll(drawn, s.name).toBe(true)
  }
  await answerAll()
})

test('the server stops: every page says so over the last picture and is loud, and goes on when it is back', async () => {
  const devices = await city.page.getByTestId('header-devices').innerText()
  const before = await Promise.all([city, ...phones].map(tones))
  await server.stop()
  for (const s of all) {
    await told(s, 'banner-stale')
    await expect(s.page.getByTestId('watch'), s.name).toHaveAttribute('data-broken', 'true')
  }
  for (const [i, s] of [city, ...phones].entries()) await expect.poll(() => tones(s), s.name).toBeGreaterThan(before[i]!)
  expect(await city.page.getByTestId('header-devices').innerText()).toBe(devices) // its end is not the devices' end
  for (const s of [city, wall]) await expect(s.page.getByTestId('alarm-calm'), s.name).toHaveCount(0)
  await server.start()
  await live(...all)
  const id = await red(counties[0])
  await seenEverywhere(id, phones[0]!)
  await answerAll()
})

test('the server is upgraded: a wall takes the new pages by itself, the others say so and go on to alarm', async () => {
  // '' while the page is being loaded anew
  const build = (s: Screen) => s.page.evaluate(() => document.querySelector<HTMLMetaElement>('meta[name="onemap-build"]')!.content).catch(() => '')
  const old = await build(city)
  const upgraded = [...old].reverse().join('')
  await server.stop()
  for (const s of all) await told(s, 'banner-stale')
  await server.startUpgraded()
  await live(city, ...phones)
  await expect.poll(() => build(wall)).toBe(upgraded)
  await live(wall)
  for (const s of [city, ...phones]) {
    await told(s, 'banner-version')
    expect(await build(s), `${s.name} has its sound on, and is not loaded anew by itself`).toBe(old)
  }
  const before = await Promise.all([city, phones[1]!].map(tones))
  const id = await red(counties[1])
  await seenEverywhere(id, phones[1]!)
  for (const [i, s] of [city, phones[1]!].entries()) await expect.poll(() => tones(s), s.name).toBeGreaterThanOrEqual(before[i]! + redSiren)

  for (const s of [city, ...phones]) {
    await s.page.getByTestId('banner-version').getByRole('button').click()
    await expect.poll(() => build(s), s.name).toBe(upgraded)
    await expect(s.page.getByTestId('banner-version'), s.name).toHaveCount(0)
  }
  await live(...all)
  await seenEverywhere(id, phones[1]!)
  await answerAll()
})

test('sessions end: it is said above everything, nobody is promised alarms, and a login in place goes on', async () => {
  for (const s of [city, phones[0]!]) {
    // The reload above took the sound of the page, as a reload does.
    await s.page.getByTestId(s === city ? 'alarm-test' : 'sound-off').click()
    const { items } = (await (await s.context.request.get('/api/v1/sessions')).json()) as { items: { id: number; revoked_at: string | null }[] }
    const before = await tones(s)
    for (const session of items.filter((x) => !x.revoked_at)) await s.context.request.delete(`/api/v1/sessions/${session.id}`)
    await told(s, 'banner-session')
    await expect(s.page.getByTestId('banner-session'), s.name).toContainText('不再接收告警')
    await expect.poll(() => tones(s), s.name).toBeGreaterThan(before)
    await expect(s.page.getByTestId('alarm-calm'), s.name).toHaveCount(0)
  }
  const id = await red(counties[0])
  await expect(wall.page.getByTestId('alarm-bar')).toHaveAttribute('data-id', String(id))
  for (const s of [city, phones[0]!]) {
    const dialog = s.page.getByTestId('relogin')
    await dialog.getByTestId('login-password').fill(passwordOf(s.user))
    await dialog.getByTestId('login-submit').click()
    await expect(s.page.getByTestId('banner-session'), s.name).toHaveCount(0)
  }
  await live(...all)
  await seenEverywhere(id, phones[0]!)
})
