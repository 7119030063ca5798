// The map shows the right place, the right numbers, and comes back when the browser loses it.

import type { APIRequestContext, Page } from '@playwright/test'
import { alertOf, clearAtOnce, expect, phone, publish, test, type Sensor } from './fixtures'
import type { Demo } from './demo'

interface Drawn {
  id?: string
  rank: number
  firing?: number
  stale?: number
  point_count?: number
  xy: { x: number; y: number }
}
type Debug = {
  mapReady: boolean
  renderedDevices: Drawn[]
  view: { zoom: number; center: [number, number] } | null
  project(at: [number, number]): [number, number] | null
}
type Shown = { __onemap?: Debug }

const drawn = (page: Page) => page.evaluate(() => (window as unknown as Shown).__onemap?.renderedDevices ?? [])
const view = (page: Page) => page.evaluate(() => (window as unknown as Shown).__onemap!.view!)
const ready = (page: Page) => page.waitForFunction(() => (window as unknown as Shown).__onemap?.mapReady === true)

/** Where a device is drawn, and what lies on top of it there: canvas, or a panel's test id. */
const topAt = (page: Page, at: [number, number]) =>
  page.evaluate((place) => {
    const p = (window as unknown as Shown).__onemap!.project(place)!
    const map = document.querySelector('[data-testid="map"]')!.getBoundingClientRect()
    const inside = p[0] > 0 && p[1] > 0 && p[0] < map.width && p[1] < map.height
    const top = document.elementFromPoint(map.left + p[0], map.top + p[1])
    return inside ? (top?.tagName === 'CANVAS' ? 'canvas' : (top?.closest('[data-testid]')?.getAttribute('data-testid') ?? 'other')) : 'outside'
  }, at)

async function open(page: Page, path: string) {
  await page.goto(path)
  await ready(page)
}

async function raise(demo: Demo, steward: APIRequestContext, sensor: Sensor, value: number): Promise<number> {
  await publish(demo, sensor, value)
  await expect.poll(() => alertOf(steward, sensor.id).then((a) => a?.level)).toBeTruthy()
  return (await alertOf(steward, sensor.id))!.id
}

async function placeOf(steward: APIRequestContext, id: string): Promise<[number, number]> {
  const { lon, lat } = (await (await steward.get(`/api/v1/devices/${id}`)).json()) as { lon: number; lat: number }
  return [lon, lat]
}

/**
 * Follows the rings of alerts at a place from their first frame: every frame's distance of the ring's middle from
 * that place. It is measured in the page, or the ring would be gone before anybody asked. Other alerts may flash, too.
 */
async function followRing(page: Page, at: [number, number]) {
  await page.evaluate((place) => {
    const far: { at: number; off: number }[] = []
    let born = 0
    const step = () => {
      for (const ring of document.querySelectorAll(`[data-at="${place.join(',')}"] .map-flash-ring`)) {
        born ||= performance.now()
        const box = ring.getBoundingClientRect()
        const map = document.querySelector('[data-testid="map"]')!.getBoundingClientRect()
        const p = (window as unknown as Shown).__onemap!.project(place)!
        far.push({ at: performance.now() - born, off: Math.hypot(box.left + box.width / 2 - map.left - p[0], box.top + box.height / 2 - map.top - p[1]) })
      }
      requestAnimationFrame(step)
    }
    requestAnimationFrame(step)
    Object.assign(window, { rings: far })
  }, at)
  return () => page.evaluate(() => (window as unknown as { rings: { at: number; off: number }[] }).rings)
}

for (const reducedMotion of ['no-preference', 'reduce'] as const) {
  test(`the ring stands on the alert's place in every frame, also while the map zooms (motion: ${reducedMotion})`, async ({ as, demo, steward, sensor }) => {
    const device = await sensor('370685')
    const { page } = await as('commander', { context: { reducedMotion } })
    await open(page, '/')
    await expect(page.getByTestId('live-status')).toHaveAttribute('data-status', 'live')
    const rings = await followRing(page, await placeOf(steward, device.id))
    await publish(demo, device, 4.9)
    await expect.poll(async () => (await rings()).length).toBeGreaterThan(0)
    await page.getByTestId('zoom-in').click()
    await expect(page.getByTestId('map-flash')).toHaveCount(0)
    const seen = await rings()
    expect(seen.length).toBeGreaterThan(3)
    for (const { at, off } of seen) expect(off, `${Math.round(at)} ms after it began`).toBeLessThan(2)
  })
}

test('a rise flashes too, and a yellow does not', async ({ as, demo, steward, sensor }) => {
  const device = await sensor('370687')
  const { page } = await as('commander')
  await open(page, '/')
  await expect(page.getByTestId('live-status')).toHaveAttribute('data-status', 'live')
  const rings = await followRing(page, await placeOf(steward, device.id))
  await publish(demo, device, 3.6)
  await expect.poll(() => alertOf(steward, device.id).then((a) => a?.level)).toBe(3)
  const { id } = (await alertOf(steward, device.id))!
  await expect(page.getByTestId(`alert-item-${id}`)).toHaveAttribute('data-level', '3')
  expect(await rings()).toEqual([])
  await publish(demo, device, 4.9)
  await expect.poll(async () => (await rings()).length).toBeGreaterThan(0)
})

/** How many pixels near the middles of the clusters are the green of "all is well". */
const greenPixels = (page: Page) =>
  page.evaluate(() => {
    const canvas = document.querySelector('canvas')!
    const scale = canvas.width / canvas.clientWidth
    const copy = Object.assign(document.createElement('canvas'), { width: canvas.width, height: canvas.height })
    const pen = copy.getContext('2d')!
    pen.drawImage(canvas, 0, 0)
    const green = [0x3e, 0xcf, 0x8e]
    let count = 0
    for (const d of (window as unknown as Shown).__onemap!.renderedDevices) {
      if (!d.point_count) continue
      const r = Math.round(30 * scale)
      const { data } = pen.getImageData(Math.round(d.xy.x * scale) - r, Math.round(d.xy.y * scale) - r, 2 * r, 2 * r)
      for (let i = 0; i < data.length; i += 4) if (green.every((v, c) => Math.abs(data[i + c]! - v) < 24)) count++
    }
    return count
  })

const onlyDevices = 'shelter:0,hospital:0,rescue_team:0,risk_source:0,hazard_zone:0,airport:0,port:0'

test('where nearly all devices are silent no cluster is green, the header and a banner say so', { tag: '@wide' }, async ({ as, demo, steward }) => {
  // The demo runs without its simulator: whoever has not published in another test never had data. Those that have
  // may be fresh still: to this page they are not.
  const { items } = (await (await steward.get('/api/v1/devices')).json()) as { items: { last_seen: string | null }[] }
  expect(items.filter((d) => d.last_seen).length).toBeLessThan(items.length / 10)
  const { page } = await as('commander')
  await page.route('**/api/v1/devices?*', async (route) => {
    const body = (await (await route.fetch()).json()) as { items: { datastreams: object[] }[] }
    for (const d of body.items) {
      Object.assign(d, { online: false, last_seen: null, level: 0 })
      for (const s of d.datastreams) Object.assign(s, { latest: null })
    }
    await route.fulfill({ json: body })
  })
  await open(page, `/?layers=${onlyDevices}`)
  await expect.poll(async () => (await drawn(page)).filter((d) => d.point_count).length).toBeGreaterThan(3)
  expect(await greenPixels(page)).toBe(0)
  await expect(page.getByTestId('banner-no-data')).toContainText(/全市 \d+ 台设备无数据（共 600 台）/)
  const { page: english } = await as('commander', { language: 'en' })
  await english.goto('/')
  await expect(english.getByTestId('banner-no-data')).toContainText(/\d+ of 600 devices of the city have no data/)

  // The same page when all have data: green is what it looks for.
  const { page: well } = await as('commander')
  await well.route('**/api/v1/devices?*', async (route) => {
    const body = (await (await route.fetch()).json()) as { items: { online: boolean; last_seen: string; level: number; datastreams: { latest: unknown; stale_since: null }[] }[] }
    for (const d of body.items) {
      Object.assign(d, { online: true, last_seen: new Date().toISOString(), level: 0 })
      for (const s of d.datastreams) Object.assign(s, { latest: null, stale_since: null })
    }
    await route.fulfill({ json: body })
  })
  await open(well, `/?layers=${onlyDevices}`)
  await expect.poll(() => greenPixels(well)).toBeGreaterThan(100)
  await expect(well.getByTestId('banner-no-data')).toHaveCount(0)
  expect(demo.http).toBeTruthy()
})

test('a cluster counts what fires, and a switched-off layer does not hide it', async ({ as, demo, steward, sensor }) => {
  const device = await sensor('370683')
  await raise(demo, steward, device, 4.8)
  const { page } = await as('commander')
  await open(page, `/?v=7.3/37.3/120.5&layers=@devices:0`)
  const firing = async () => (await drawn(page)).filter((d) => d.rank < 9)
  await expect.poll(async () => (await firing()).length).toBeGreaterThan(0)
  const shown = (await firing()).reduce((n, d) => n + (d.firing ?? 1), 0)
  const { items } = (await (await steward.get('/api/v1/devices')).json()) as { items: { level: number }[] }
  expect(shown).toBe(items.filter((d) => d.level > 0).length)
  expect((await drawn(page)).filter((d) => d.rank === 9)).toEqual([]) // the quiet ones are off
})

const screens = [
  { width: 1024, height: 768 },
  { width: 1366, height: 768 },
  { width: 1920, height: 1080 },
]
for (const viewport of screens) {
  test(`links go there and the object is not under a panel (${viewport.width})`, { tag: '@wide' }, async ({ as, demo, steward, sensor }) => {
    const device = await sensor('370681')
    const id = await raise(demo, steward, device, 4.7)
    const at = await placeOf(steward, device.id)
    const alone = async (page: Page) => {
      await expect.poll(async () => (await drawn(page)).some((d) => d.id === device.id)).toBe(true)
      await expect.poll(() => topAt(page, at)).toBe('canvas')
    }
    const { page } = await as('commander', { context: { viewport } })
    for (const path of [`/?alert=${id}`, `/?card=device:${device.id}`]) {
      await open(page, path)
      await alone(page)
      expect((await view(page)).zoom).toBeGreaterThanOrEqual(12)
    }
    // A link with a view keeps it, but for what a card would cover.
    const zoom = 13.5
    for (const [dx, dy] of [[0, 0], [0.02, 0], [-0.02, 0.01]] as const) {
      await open(page, `/?v=${zoom}/${at[1] + dy}/${at[0] + dx}&card=device:${device.id}`)
      await expect(page.getByTestId('device-card')).toBeVisible()
      await alone(page)
      expect((await view(page)).zoom).toBeCloseTo(zoom, 1)
    }
  })
}

test('a link to a feature of a layer goes there, and one to a closed alert', { tag: '@wide' }, async ({ as, demo, steward, sensor }) => {
  const { features } = (await (await steward.get('/api/v1/layers/hospital/features', { params: { limit: 3 } })).json()) as {
    features: { id: number; geometry: { coordinates: [number, number] } }[]
  }
  const hospital = features[1]!
  const { page } = await as('commander')
  await open(page, `/?card=hospital:${hospital.id}`)
  await expect(page.getByTestId('feature-card')).toBeVisible()
  await expect.poll(() => topAt(page, hospital.geometry.coordinates)).toBe('canvas')
  await expect.poll(async () => (await view(page)).zoom).toBeGreaterThan(12)

  const device = await sensor('370682')
  await clearAtOnce(steward, device)
  const id = await raise(demo, steward, device, 4.7)
  await publish(demo, device, 2.0)
  await expect.poll(() => alertOf(steward, device.id)).toBeUndefined()
  for (const [action, data] of [['acknowledge', {}], ['resolve', { note: 'over' }], ['close', {}]] as const) {
    expect((await page.request.post(`/api/v1/alerts/${id}/${action}`, { data })).status(), action).toBe(200)
  }
  const { items } = (await (await steward.get('/api/v1/alerts', { params: { open: true, device: device.id } })).json()) as { items: unknown[] | null }
  expect(items ?? []).toEqual([]) // the page's list does not hold it
  const { page: later } = await as('commander')
  await open(later, `/?alert=${id}`)
  const at = await placeOf(steward, device.id)
  await expect.poll(() => topAt(later, at)).toBe('canvas')
  await expect.poll(async () => (await view(later)).zoom).toBeGreaterThanOrEqual(12)
})

test('an alert whose link is opened before the data are there is gone to when they come', async ({ as, demo, steward, sensor }) => {
  const device = await sensor('370614')
  const id = await raise(demo, steward, device, 4.7)
  const at = await placeOf(steward, device.id)
  const { page } = await as('commander')
  let open_: () => void = () => undefined
  const gate = new Promise<void>((done) => (open_ = done))
  await page.route(/\/api\/v1\/alerts(\?|\/\d)/, async (route) => {
    await gate
    await route.continue()
  })
  await page.goto(`/?alert=${id}`)
  await ready(page)
  expect((await view(page)).zoom).toBeLessThan(10)
  open_()
  await expect.poll(async () => (await view(page)).zoom).toBeGreaterThanOrEqual(12)
  await expect.poll(() => topAt(page, at)).toBe('canvas')
})

test('a card that is open does not squeeze the view of the whole city', { tag: '@wide' }, async ({ as, demo }) => {
  const { page } = await as('commander')
  await open(page, '/')
  const { zoom } = await view(page)
  await open(page, `/?v=9/37.3/120.7&card=device:${demo.device.id}`)
  await expect(page.getByTestId('device-card')).toBeVisible()
  await page.keyboard.press('h')
  await expect.poll(async () => Math.abs((await view(page)).zoom - zoom)).toBeLessThan(0.05)
})

type Lose = { lose?: { loseContext(): void; restoreContext(): void } }
const loseContext = (page: Page) =>
  page.evaluate(() => {
    const gl = document.querySelector<HTMLCanvasElement>('canvas.maplibregl-canvas')!.getContext('webgl2')!
    const lose = gl.getExtension('WEBGL_lose_context')!
    Object.assign(window, { lose })
    lose.loseContext()
  })
const contextLives = (page: Page) =>
  page.evaluate(() => document.querySelector<HTMLCanvasElement>('canvas.maplibregl-canvas')?.getContext('webgl2')?.isContextLost() === false)

for (const how of ['given back', 'not given back'] as const) {
  test(`a lost graphics context (${how}) is told and the map is there again as it was`, { tag: '@wide' }, async ({ as, demo, steward, sensor }) => {
    const device = await sensor('370612')
    const id = await raise(demo, steward, device, 4.7)
    const { page } = await as('commander')
    await open(page, `/?alert=${id}&layers=hospital:0`)
    await expect.poll(async () => (await drawn(page)).some((d) => d.id === device.id)).toBe(true)
    const before = await view(page)
    await loseContext(page)
    await expect(page.locator('[data-part="map"]')).toBeVisible()
    await expect(page.getByTestId(`alert-item-${id}`)).toBeVisible()
    if (how === 'given back') await page.evaluate(() => (window as unknown as Lose).lose!.restoreContext())
    await expect.poll(() => contextLives(page)).toBe(true)
    await expect(page.locator('[data-part="map"]')).toHaveCount(0)
    await ready(page)
    await expect.poll(async () => (await drawn(page)).some((d) => d.id === device.id && d.rank === 1)).toBe(true)
    const after = await view(page)
    expect(after.zoom).toBeCloseTo(before.zoom, 1)
    expect(Math.hypot(after.center[0] - before.center[0], after.center[1] - before.center[1])).toBeLessThan(0.01)
    await expect(page).toHaveURL(new RegExp(`alert=${id}`))
    await expect(page).toHaveURL(/hospital/)
  })
}

test('a map that cannot be made again stays told, and the list works', { tag: '@wide' }, async ({ as, demo, steward, sensor }) => {
  const first = await sensor('370676')
  const second = await sensor('370676')
  await raise(demo, steward, first, 4.7)
  const { page } = await as('commander')
  await open(page, '/')
  await loseContext(page)
  await page.evaluate(() => {
    const real = HTMLCanvasElement.prototype.getContext
    HTMLCanvasElement.prototype.getContext = function (this: HTMLCanvasElement, kind: string, ...rest: unknown[]) {
      return kind === 'webgl2' ? null : (real.call(this, kind as '2d', ...(rest as [])) as never)
    } as never
  })
  await expect(page.locator('[data-part="map"]')).toContainText('请刷新')
  const id = await raise(demo, steward, second, 4.6)
  await page.getByTestId(`alert-item-${id}`).click()
  await expect(page.getByTestId('alert-card')).toBeVisible()
  await expect(page.locator('[data-part="map"]')).toBeVisible()
})

test('the phone’s map begins at the viewer’s county, goes to an alert, and comes back when it is lost', async ({ as, demo, steward, sensor }) => {
  const { page } = await as('r370613', { context: phone })
  await open(page, '/m')
  // Laishan is about 25 km wide, the city 200: the whole city would be zoom 6.
  await expect.poll(async () => (await view(page)).zoom).toBeGreaterThan(8)
  const { center } = await view(page)
  expect(Math.hypot(center[0] - 121.44, center[1] - 37.4)).toBeLessThan(0.3)

  const device = await sensor('370613')
  await raise(demo, steward, device, 4.7)
  await expect.poll(async () => (await drawn(page)).some((d) => d.id === device.id && d.rank === 1)).toBe(true)
  await loseContext(page)
  await expect(page.locator('[data-part="map"]')).toBeVisible()
  await expect.poll(() => contextLives(page)).toBe(true)
  await expect(page.locator('[data-part="map"]')).toHaveCount(0)
  await expect.poll(async () => (await drawn(page)).some((d) => d.id === device.id && d.rank === 1)).toBe(true)
})
