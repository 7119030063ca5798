// Tiles are never stale: a point that is moved, through the API or by psql, is drawn at its new place and
// nowhere else, wherever the page looked meanwhile, and on a page of a second node.

import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import type { APIRequestContext, Page } from '@playwright/test'
import type { Demo } from './demo'
import { expect, test } from './fixtures'
import { startNode } from './node'

const run = promisify(execFile)
const layer = 'risk_source'
type Place = [lon: number, lat: number]

// Two places on the screen together, on either side of the edge of a tile of zoom 13, and one far away.
const edge = (6850 / 8192) * 360 - 180
const here: Place = [edge - 0.006, 37.2]
const there: Place = [edge + 0.006, 37.203]
const away: Place = [119.9, 36.9]
const view = `13.00/37.20000/${edge.toFixed(5)}`

interface Drawn {
  id?: number | string
  at: Place | null
  properties: Record<string, unknown>
}
type Shown = { __onemap?: { mapReady: boolean; renderedFeatures(layer: string): Drawn[]; heldFeatures(layer: string): Drawn[]; view: { zoom: number } | null } }

async function version(api: APIRequestContext, name = layer): Promise<number> {
  return ((await (await api.get(`/api/v1/layers/${name}`)).json()) as { version: number }).version
}

/** Edits the layer through the API; gives the ids of what was made. */
async function edit(api: APIRequestContext, change: object): Promise<number[]> {
  const answer = await api.patch(`/api/v1/layers/${layer}/features`, { data: change, headers: { 'If-Match': `"${await version(api)}"` } })
  expect(answer.status(), await answer.text()).toBe(200)
  return ((await answer.json()) as { created: number[] }).created
}

// A test that fails leaves no point behind for the others to stumble over.
const left = new Set<number>()
test.afterEach(async ({ steward }) => {
  if (left.size) await remove(steward, ...left)
})
async function remove(api: APIRequestContext, ...ids: number[]): Promise<void> {
  ids.forEach((id) => left.delete(id))
  await edit(api, { delete: ids })
}

/** A new risk source, all alone in the sea of tiles around it. */
async function make(api: APIRequestContext, [lon, lat]: Place): Promise<number> {
  const properties = { division: '370602', name: { zh: '移动试验点', en: 'Moving point' }, level: 1 }
  const [id] = await edit(api, { create: [{ type: 'Feature', geometry: { type: 'Point', coordinates: [lon, lat] }, properties }] })
  left.add(id!)
  return id!
}

const moves: Record<string, (world: { api: APIRequestContext; demo: Demo }, id: number, to: Place) => Promise<unknown>> = {
  'the API': ({ api }, id, to) => edit(api, { move: [{ id, geometry: { type: 'Point', coordinates: to } }] }),
  psql: ({ demo }, id, [lon, lat]) =>
    run('psql', ['-X', '-q', '-v', 'ON_ERROR_STOP=1', '-c', `update feature set geom = ST_SetSRID(ST_MakePoint(${lon}, ${lat}), 4326) where id = ${id}`, demo.database]),
}

/** Where the page draws the feature, and where its tiles hold it: each place once. */
async function placesOf(page: Page, id: number): Promise<{ drawn: string[]; held: string[] }> {
  return page.evaluate(
    ([of, name]) => {
      const debug = (window as unknown as Shown).__onemap
      const places = (all: Drawn[] = []) => [...new Set(all.filter((f) => f.id === of && f.at).map((f) => f.at!.map((v) => v.toFixed(3)).join(' ')))]
      return { drawn: places(debug?.renderedFeatures(name)), held: places(debug?.heldFeatures(name)) }
    },
    [id, layer] as const,
  )
}
const only = (place: Place) => {
  const text = place.map((v) => v.toFixed(3)).join(' ')
  return { drawn: [text], held: [text] }
}
const shows = (page: Page, id: number, place: Place) => expect.poll(() => placesOf(page, id)).toEqual(only(place))

async function open(page: Page): Promise<void> {
  await page.goto(`/?v=${view}&panels=`)
  await page.waitForFunction(() => (window as unknown as Shown).__onemap?.mapReady === true)
  await expect(page.getByTestId('live-status')).toHaveAttribute('data-status', 'live')
}
async function fly(page: Page, [lon, lat]: Place): Promise<void> {
  await page.keyboard.press('/')
  await page.getByTestId('search').fill(`${lon.toFixed(4)} ${lat.toFixed(4)}`)
  await page.keyboard.press('Enter')
}

/** Clicks on a place of the map, which shows the middle of its view at a whole zoom. */
async function click(page: Page, at: Place, middle: Place, zoom: number): Promise<void> {
  const world = 512 * 2 ** zoom // pixels
  const x = ([lon]: Place) => ((lon + 180) / 360) * world
  const y = ([, lat]: Place) => ((1 - Math.asinh(Math.tan((lat * Math.PI) / 180)) / Math.PI) / 2) * world
  const box = (await page.getByTestId('map').boundingBox())!
  await page.mouse.click(box.x + box.width / 2 + x(at) - x(middle), box.y + box.height / 2 + y(at) - y(middle))
}

/** Says when the page is told of changed tiles of the layer from now on. */
function notices(page: Page): { next(): Promise<void> } {
  let heard = 0
  page.on('websocket', (socket) =>
    socket.on('framereceived', ({ payload }) => {
      const frame = JSON.parse(String(payload)) as { type: string; all?: boolean; layers?: { layer: string }[] }
      if (frame.type === 'tiles' && (frame.all || frame.layers?.some((l) => l.layer === layer))) heard++
    }),
  )
  return {
    next: async () => {
      const before = heard
      await expect.poll(() => heard).toBeGreaterThan(before)
    },
  }
}

for (const [by, move] of Object.entries(moves)) {
  test.describe(`moved by ${by}`, () => {
    test('while the page looks at it', async ({ as, steward: api, demo }) => {
      const id = await make(api, here)
      const { page, complaints } = await as('steward')
      await open(page)
      await shows(page, id, here)
      const asked = new Set<string>()
      page.on('request', (r) => r.url().endsWith('.mvt') && asked.add(new URL(r.url()).pathname))
      await move({ api, demo }, id, there)
      await shows(page, id, there)
      // Only the tiles of the old and of the new place were asked for.
      expect([...asked].filter((path) => !/^\/tiles\/risk_source\/13\/(6849|6850)\/\d+\.mvt$/.test(path))).toEqual([])
      expect(asked.size).toBeLessThanOrEqual(2)
      await move({ api, demo }, id, here)
      await shows(page, id, here)
      await remove(api, id)
      await expect.poll(() => placesOf(page, id)).toEqual({ drawn: [], held: [] })
      expect(complaints).toEqual([])
    })

    test('while the page has panned away, and pans back', { tag: '@wide' }, async ({ as, steward: api, demo }) => {
      const id = await make(api, here)
      const { page } = await as('steward')
      const told = notices(page)
      await open(page)
      await shows(page, id, here)
      await fly(page, away)
      await expect.poll(() => placesOf(page, id)).toEqual({ drawn: [], held: [] })
      const next = told.next()
      await move({ api, demo }, id, there)
      await next
      await fly(page, [edge, 37.2])
      await shows(page, id, there)
    })

    test('while the first load of its tiles is on its way', { tag: '@wide' }, async ({ as, steward: api, demo }) => {
      const id = await make(api, here)
      const { page } = await as('steward')
      const told = notices(page)
      let letGo = () => {}
      const held = new Promise<void>((go) => (letGo = go))
      let fetched = 0
      await page.route(/\/tiles\/risk_source\/13\/\d+\/\d+\.mvt$/, async (route) => {
        const response = await route.fetch() // as it is now: before the move
        fetched++
        await held
        await route.fulfill({ response })
      })
      await page.goto(`/?v=${view}&panels=`)
      await expect(page.getByTestId('live-status')).toHaveAttribute('data-status', 'live')
      await expect.poll(() => fetched).toBeGreaterThanOrEqual(2)
      const next = told.next()
      await move({ api, demo }, id, there)
      await next
      const first = fetched
      letGo()
      // The old answer is not even shown for a moment.
      const seen = new Set<string>()
      await expect(async () => {
        const { drawn } = await placesOf(page, id)
        drawn.forEach((place) => seen.add(place))
        expect(drawn).toEqual(only(there).drawn)
      }).toPass({ intervals: [20] })
      await shows(page, id, there)
      expect([...seen]).toEqual(only(there).drawn)
      expect(fetched).toBeGreaterThan(first)
    })
  })
}

test('what changed while the connection was gone is there when it is back', { tag: '@wide' }, async ({ as, steward: api, demo }) => {
  const id = await make(api, here)
  const { page } = await as('steward')
  let cut = false
  const sockets: { close(): Promise<void> }[] = []
  await page.routeWebSocket(/\/ws$/, (ws) => {
    if (cut) return void ws.close({ code: 4101 })
    sockets.push(ws)
    ws.connectToServer()
  })
  await open(page)
  await shows(page, id, here)
  cut = true
  await sockets[0]!.close()
  await expect(page.getByTestId('live-status')).not.toHaveAttribute('data-status', 'live')
  await moves.psql!({ api, demo }, id, there)
  // Untold, the page still shows the old place; and says that it is not live.
  expect((await placesOf(page, id)).drawn).toEqual(only(here).drawn)
  cut = false
  await shows(page, id, there)
})

test('a page on a second node shows it too, whoever wrote it', { tag: '@wide' }, async ({ as, browser, steward: api, demo }) => {
  const id = await make(api, here)
  const node = await startNode(demo)
  try {
    const { page: first } = await as('steward')
    const context = await browser.newContext({ baseURL: node.http })
    const account = demo.accounts.find((a) => a.user === 'steward')!
    const login = await context.request.post('/api/v1/session', { data: { user: account.user, password: account.password } })
    expect(login.ok()).toBe(true)
    const second = await context.newPage()
    for (const page of [first, second]) {
      await open(page)
      await shows(page, id, here)
    }
    await moves['the API']!({ api, demo }, id, there)
    for (const page of [first, second]) await shows(page, id, there)
    await moves.psql!({ api, demo }, id, here)
    for (const page of [first, second]) await shows(page, id, here)
    await context.close()
  } finally {
    await node.stop()
  }
})

test('risk sources of the whole city are clusters of the server; a click goes two zooms nearer', { tag: '@wide' }, async ({ as }) => {
  const { page, complaints } = await as('steward')
  await page.goto('/?v=8.00/37.30000/121.00000&panels=&layers=@devices:0,@areas:0,county_point:0,shelter:0,hospital:0,rescue_team:0,airport:0,port:0,hazard_zone:0')
  await page.waitForFunction(() => (window as unknown as Shown).__onemap?.mapReady === true)
  const drawn = () => page.evaluate((name) => (window as unknown as Shown).__onemap!.renderedFeatures(name), layer)
  await expect.poll(async () => (await drawn()).filter((f) => f.id === undefined && Number(f.properties.count) > 1).length).toBeGreaterThan(3)
  for (const f of await drawn()) expect(f.id === undefined ? Number(f.properties.count) > 1 : Number(f.id) > 0).toBe(true)

  const most = (await drawn()).filter((f) => f.id === undefined).sort((a, b) => Number(b.properties.count) - Number(a.properties.count))[0]!
  await click(page, most.at!, [121, 37.3], 8)
  await expect.poll(() => page.evaluate(() => (window as unknown as Shown).__onemap!.view!.zoom)).toBeCloseTo(10, 1)
  await expect(page.getByTestId('feature-card')).toHaveCount(0)
  expect(complaints).toEqual([])
})

test('points on one spot are drawn as one, and a click names them all', { tag: '@wide' }, async ({ as, steward: api }) => {
  const ids = [await make(api, here), await make(api, here)]
  const { page } = await as('steward')
  await open(page)
  const drawn = () => page.evaluate((name) => (window as unknown as Shown).__onemap!.renderedFeatures(name), layer)
  await expect.poll(async () => (await drawn()).filter((f) => ids.includes(Number(f.id))).map((f) => f.properties.count)).toEqual([2])
  await click(page, here, [edge, 37.2], 13)
  await expect(page.getByTestId('pick-card').getByRole('button', { name: '移动试验点' })).toHaveCount(2)
})
