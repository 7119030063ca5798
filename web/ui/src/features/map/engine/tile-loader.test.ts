import { expect, test } from 'vitest'
import { TileFreshness } from './freshness'
import { parseTilePath, TileLoader } from './tile-loader'

const url = 'https://map.example/tiles/hazard_zone,hazard_zone.label/14/100/50.mvt'
const id = { z: 14, x: 100, y: 50 }
const tileset = 'hazard_zone,hazard_zone.label'

/** A loader over a script of answers: each is made when it is asked for. */
function world(...script: (() => Response | Promise<Response>)[]) {
  const asked: RequestInit[] = []
  const waited: number[] = []
  const said: boolean[] = []
  const same: string[] = []
  const retried: (() => void)[] = []
  const freshness = new TileFreshness({ now: () => 0, setTimer: (f) => retried.push(f), clearTimer: () => undefined, refresh: () => undefined })
  const loader = new TileLoader(freshness, {
    fetch: async (_, init) => {
      asked.push(init)
      const next = script.shift()
      if (!next) throw new Error('asked too often')
      return next()
    },
    wait: async (ms, signal) => {
      waited.push(ms)
      signal.throwIfAborted()
    },
    failing: (now) => said.push(now),
    unchanged: () => same.push(url),
  })
  const changed = () => freshness.notice({ type: 'tiles', all: false, layers: [{ layer: 'hazard_zone', ranges: [[14, 100, 50, 100, 50]] }] })
  return { freshness, loader, asked, waited, said, same, retried, changed, load: (signal = new AbortController().signal) => loader.load(url, signal) }
}
const ok = (text: string, etag = `"${text}"`) => new Response(text, { headers: { ETag: etag } })
const textOf = (tile: { data: ArrayBuffer }) => new TextDecoder().decode(tile.data)

test('asks the server about every tile, whatever the browser holds', async () => {
  const w = world(() => ok('one'))
  const tile = await w.load()
  expect(textOf(tile)).toBe('one')
  expect(tile.etag).toBe('"one"')
  expect(w.asked).toMatchObject([{ cache: 'no-cache', credentials: 'same-origin' }])
  expect(w.said).toEqual([false])
})

test('says when a tile is what it was', async () => {
  const w = world(() => ok('one'), () => ok('one'), () => ok('two'))
  for (const already of [0, 1, 1]) {
    await w.load()
    expect(w.same).toHaveLength(already)
  }
})

test('what a notice overtook is asked for again before it is drawn', async () => {
  const w = world(
    () => {
      w.changed() // while the first answer is on its way
      return ok('old')
    },
    () => ok('new'),
  )
  expect(textOf(await w.load())).toBe('new')
})

test('under a stream of notices it hands on what it has, and the tile is still to be refreshed', async () => {
  const late = (text: string) => () => {
    w.changed()
    return ok(text)
  }
  const w: ReturnType<typeof world> = world(late('1'), late('2'), late('3'))
  expect(textOf(await w.load())).toBe('3')
  expect(w.freshness.isCurrent(tileset, id, w.freshness.began(tileset, id) - 1)).toBe(false)
})

test('waits for a server that is away while the tile is shown, with growing patience', async () => {
  const away = () => Promise.reject(new TypeError('network'))
  const w = world(() => ok('one'), away, () => new Response('', { status: 503 }), () => ok('two'))
  await w.load()
  expect(textOf(await w.load())).toBe('two')
  expect(w.waited).toEqual([1000, 2000])
  expect(w.said).toEqual([false, true, true, false])
})

test('a first tile that cannot be had fails at once, and is tried again later', async () => {
  const w = world(() => new Response('', { status: 500 }))
  await expect(w.load()).rejects.toThrow('HTTP 500')
  expect(w.retried).toHaveLength(1)
})

test.each([400, 401, 403, 404])('a refusal is final: %i', async (status) => {
  const w = world(() => ok('one'), () => new Response('', { status }))
  await w.load()
  await expect(w.load()).rejects.toThrow(`HTTP ${status}`)
  expect(w.retried).toHaveLength(0)
  expect(w.waited).toEqual([])
})

test('a tile that nobody wants any more is no failure', async () => {
  const stop = new AbortController()
  const w = world(() => {
    stop.abort()
    throw stop.signal.reason
  })
  await expect(w.load(stop.signal)).rejects.toMatchObject({ name: 'AbortError' })
  expect(w.said).toEqual([])
})

test('reads the address of a tile, and nothing else', () => {
  expect(parseTilePath(url)).toEqual({ tileset, id })
  expect(parseTilePath('/tiles/land/0/0/0.mvt')).toEqual({ tileset: 'land', id: { z: 0, x: 0, y: 0 } })
  for (const other of ['/tiles/land.json', '/tiles/land/1/2.mvt', '/tiles/la nd/1/0/0.mvt', '/tiles/land/1/0/0.mvt?x', '']) expect(parseTilePath(other)).toBeNull()
})
