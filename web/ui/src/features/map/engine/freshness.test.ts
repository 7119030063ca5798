import { beforeEach, expect, test } from 'vitest'
import type { TileRange } from '@/shared/live/frames'
import { coverage, TileFreshness, type TileId } from './freshness'

const a: TileId = { z: 14, x: 100, y: 50 }
const b: TileId = { z: 14, x: 101, y: 50 }
const zones = 'hazard_zone,hazard_zone.label'

/** A clock that stands still until it is told. */
class World {
  time = 0
  timers: { at: number; f: () => void }[] = []
  refreshed: { at: number; tileset: string; tiles: TileId[] | null }[] = []
  freshness: TileFreshness

  constructor(most?: number) {
    this.freshness = new TileFreshness(
      {
        now: () => this.time,
        setTimer: (f, ms) => {
          const timer = { at: this.time + ms, f }
          this.timers.push(timer)
          return timer
        },
        clearTimer: (id) => (this.timers = this.timers.filter((t) => t !== id)),
        refresh: (tileset, tiles) => this.refreshed.push({ at: this.time, tileset, tiles }),
      },
      most,
    )
  }
  advance(ms: number) {
    const end = this.time + ms
    for (;;) {
      const due = this.timers.filter((t) => t.at <= end).sort((x, y) => x.at - y.at)[0]
      if (!due) break
      this.timers = this.timers.filter((t) => t !== due)
      this.time = due.at
      due.f()
    }
    this.time = end
  }
  /** A tile is fetched and drawn without anything in between. */
  load(tileset: string, id: TileId, etag = '"1"') {
    const ticket = this.freshness.began(tileset, id)
    const current = this.freshness.isCurrent(tileset, id, ticket)
    this.freshness.took(tileset, id, ticket, etag)
    this.freshness.drawn(tileset, id, etag)
    return current
  }
  changed(layer: string, ...ranges: TileRange[]) {
    this.freshness.notice({ type: 'tiles', all: false, layers: [{ layer, ranges }] })
  }
}

let w: World
beforeEach(() => {
  w = new World()
})

test('a notice refreshes exactly the tiles that it names, at once', () => {
  w.load(zones, a)
  w.load(zones, b)
  w.load('land', a)
  w.changed('hazard_zone', [14, 100, 50, 100, 50])
  w.advance(0)
  expect(w.refreshed).toEqual([{ at: 0, tileset: zones, tiles: [a] }])
})

test('a tile that was fetched after the notice is right', () => {
  w.load(zones, a)
  w.changed('hazard_zone', [14, 100, 50, 100, 50])
  expect(w.load(zones, a)).toBe(true)
  w.advance(10_000)
  expect(w.refreshed).toEqual([])
})

test('no more than once a second, and the last notice is not lost', () => {
  w.load(zones, a)
  for (let i = 0; i < 10; i++) {
    w.changed('hazard_zone', [14, 100, 50, 100, 50])
    w.advance(300)
    if (w.refreshed.length) w.load(zones, a, `"${i}"`)
  }
  w.changed('hazard_zone', [14, 100, 50, 100, 50])
  w.advance(5000)
  const times = w.refreshed.map((r) => r.at)
  expect(times[0]).toBe(0)
  for (let i = 1; i < times.length; i++) expect(times[i]! - times[i - 1]!).toBeGreaterThanOrEqual(1000)
  expect(times.at(-1)).toBeGreaterThanOrEqual(3000)
})

test('an answer that was asked for before the notice and comes after it is not current', () => {
  const ticket = w.freshness.began(zones, a)
  w.changed('hazard_zone', [14, 100, 50, 100, 50])
  expect(w.freshness.isCurrent(zones, a, ticket)).toBe(false)
  const again = w.freshness.began(zones, a)
  expect(w.freshness.isCurrent(zones, a, again)).toBe(true)
  expect(w.freshness.isCurrent(zones, b, w.freshness.began(zones, b))).toBe(true)
})

test('an answer older than one already handed on is not current', () => {
  const first = w.freshness.began(zones, a)
  const second = w.freshness.began(zones, a)
  w.freshness.took(zones, a, second, '"new"')
  expect(w.freshness.isCurrent(zones, a, first)).toBe(false)
  w.freshness.took(zones, a, first, '"old"') // changes nothing
  w.freshness.drawn(zones, a, '"new"')
  w.advance(5000)
  expect(w.refreshed).toEqual([])
})

test('what is drawn from an answer that was overtaken is fetched again', () => {
  w.load(zones, a, '"new"')
  w.freshness.drawn(zones, a, '"old"')
  w.advance(0)
  expect(w.refreshed).toEqual([{ at: 0, tileset: zones, tiles: [a] }])
})

test('a tile that the map passed over stays dirty until a request for it begins', () => {
  w.load(zones, a)
  w.changed('hazard_zone', [14, 100, 50, 100, 50])
  w.advance(60_000)
  expect(w.refreshed).toHaveLength(1) // it is not in view: no request began, and nothing is asked for again and again
  w.freshness.moved()
  w.advance(0)
  expect(w.refreshed).toHaveLength(2)
  w.load(zones, a, '"2"')
  w.freshness.moved()
  w.advance(60_000)
  expect(w.refreshed).toHaveLength(2)
})

test('all of a layer, and all of everything', () => {
  w.load(zones, a)
  w.load('land,river', b)
  w.freshness.notice({ type: 'tiles', all: false, layers: [{ layer: 'river', ranges: null }] })
  w.advance(0)
  expect(w.refreshed.map((r) => r.tileset)).toEqual(['land,river'])
  w.load('land,river', b)
  w.freshness.notice({ type: 'tiles', all: true, layers: [] })
  w.advance(1000)
  expect(w.refreshed.map((r) => r.tileset).sort()).toEqual([zones, 'land,river', 'land,river'].sort())
})

test('a tile that could not be had is tried again after a while, not at every rest', () => {
  w.freshness.began(zones, a)
  w.freshness.failed(zones, a)
  w.freshness.moved()
  w.advance(4999)
  expect(w.refreshed).toEqual([])
  w.advance(1)
  expect(w.refreshed).toEqual([{ at: 5000, tileset: zones, tiles: [a] }])
})

test('a tile that was asked for again meanwhile is not tried for its failure', () => {
  w.freshness.began(zones, a)
  w.freshness.failed(zones, a)
  w.load(zones, a)
  w.advance(60_000)
  expect(w.refreshed).toEqual([])
})

test('too many tiles are forgotten, and what is in view is asked for whole; an answer in between is not trusted', () => {
  w = new World(2)
  w.load(zones, a)
  const ticket = w.freshness.began(zones, b)
  w.load(zones, { z: 14, x: 102, y: 50 })
  expect(w.freshness.isCurrent(zones, b, ticket)).toBe(false)
  w.advance(0)
  expect(w.refreshed).toEqual([{ at: 0, tileset: zones, tiles: null }])
})

test('nothing happens after the end', () => {
  w.load(zones, a)
  w.changed('hazard_zone', [14, 100, 50, 100, 50])
  w.freshness.stop()
  w.advance(10_000)
  expect(w.refreshed).toEqual([])
})

test('ranges name tiles of their zooms, ends included, and under the deepest of them', () => {
  const named = coverage([[10, 5, 7, 6, 7], [9, 2, 3, 2, 3]])
  expect(named({ z: 10, x: 5, y: 7 })).toBe(true)
  expect(named({ z: 10, x: 6, y: 7 })).toBe(true)
  expect(named({ z: 10, x: 7, y: 7 })).toBe(false)
  expect(named({ z: 10, x: 5, y: 8 })).toBe(false)
  expect(named({ z: 12, x: 27, y: 31 })).toBe(true)
  expect(named({ z: 12, x: 28, y: 31 })).toBe(false)
  expect(named({ z: 9, x: 2, y: 3 })).toBe(true)
  expect(named({ z: 10, x: 4, y: 6 })).toBe(false) // under the range of zoom 9, which is not the deepest
  expect(named({ z: 8, x: 1, y: 1 })).toBe(false)
  expect(coverage([[0, 0, 0, 0, 0]])({ z: 22, x: 2 ** 22 - 1, y: 2 ** 22 - 1 })).toBe(true)
  expect(coverage([])({ z: 0, x: 0, y: 0 })).toBe(false)
})
