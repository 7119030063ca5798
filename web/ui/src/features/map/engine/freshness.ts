// Which tiles that the map holds are not what the server has now. It knows no map and no network: what
// begins, comes and is drawn is told to it, and it asks for what must be fetched again.
//
// Its promise: a tile is right when its request began after the last notice about it. MapLibre's own
// refreshTiles passes over a tile that is still loading for the first time, and one that is out of view
// and fading out; here such a tile stays dirty until a request for it begins.

import type { TileRange, TilesFrame } from '@/shared/live/frames'

/** A tile of the Web Mercator pyramid, y from the north. */
export interface TileId {
  z: number
  x: number
  y: number
}

export interface FreshnessPorts {
  /** Milliseconds of any clock that goes forward. */
  now(): number
  setTimer(f: () => void, ms: number): unknown
  clearTimer(id: unknown): void
  /** Fetch these tiles of a tileset again, as far as the map shows them; null is all that it shows. */
  refresh(tileset: string, tiles: TileId[] | null): void
}

interface Held extends TileId {
  /** When the newest request began, and when the newest notice about it came: ticks of this class. */
  begun: number
  dirty: number
  /** Of the newest answer that was handed on: when its request began, and its ETag. */
  taken: number
  etag?: string
}

interface Tileset {
  layers: Set<string>
  tiles: Map<string, Held>
  refreshedAt: number
  timer?: unknown
}

const everyMs = 1000 // a tileset is fetched anew no more often
const failedMs = 5000
const labelEnding = /\.label$/

/** Names of tilesets are their layers as in the tiles' address: "hazard_zone,hazard_zone.label". */
export class TileFreshness {
  private tick = 0
  private readonly tilesets = new Map<string, Tileset>()

  /** most is how many tiles of a tileset are remembered; beyond it, all that is shown is asked for anew. */
  constructor(
    private readonly ports: FreshnessPorts,
    private readonly most = 1000,
  ) {}

  /** A request for a tile begins. The ticket is for its answer. */
  began(tileset: string, id: TileId): number {
    const set = this.tileset(tileset)
    const held = set.tiles.get(key(id))
    const ticket = ++this.tick
    if (held) held.begun = ticket
    else {
      if (set.tiles.size >= this.most) this.forget(tileset, set)
      set.tiles.set(key(id), { ...id, begun: ticket, dirty: 0, taken: 0 })
    }
    return ticket
  }

  /** Whether the answer to a request may be drawn: nothing newer was said of the tile, or handed on. */
  isCurrent(tileset: string, id: TileId, ticket: number): boolean {
    const held = this.held(tileset, id)
    return held !== undefined && held.dirty < ticket && held.taken <= ticket
  }

  /** The answer is handed to the map. Tells whether it is the same as the one before. */
  took(tileset: string, id: TileId, ticket: number, etag: string | undefined): boolean {
    const held = this.held(tileset, id)
    if (!held || held.taken > ticket) return false
    const same = held.taken > 0 && etag !== undefined && held.etag === etag
    held.taken = ticket
    held.etag = etag
    return same
  }

  /** Whether the map has had this tile before. */
  has(tileset: string, id: TileId): boolean {
    return (this.held(tileset, id)?.taken ?? 0) > 0
  }

  /**
   * The map shows a tile, made from the answer with this ETag. Where two answers overtook each other
   * on the way through its workers, it is not that of the newest.
   */
  drawn(tileset: string, id: TileId, etag: string | undefined): void {
    const held = this.held(tileset, id)
    if (held?.taken && held.etag !== etag) held.dirty = ++this.tick
    this.schedule(tileset)
  }

  /** A tile could not be had. It is tried again in a while, unless it was asked for by then. */
  failed(tileset: string, id: TileId): void {
    const held = this.held(tileset, id)
    const begun = held?.begun
    if (!held) return
    this.ports.setTimer(() => {
      if (held.begun !== begun) return
      held.dirty = ++this.tick
      this.schedule(tileset)
    }, failedMs)
  }

  /** The map moved or came to rest: tiles that could not be refreshed may be in view now. */
  moved(): void {
    for (const name of this.tilesets.keys()) this.schedule(name)
  }

  /** The server says which tiles are not what they were. */
  notice(frame: TilesFrame): void {
    if (frame.all) return this.all()
    const tick = ++this.tick
    for (const { layer, ranges } of frame.layers) {
      const concerned = ranges ? coverage(ranges) : () => true
      for (const [name, set] of this.tilesets) {
        if (!set.layers.has(layer.replace(labelEnding, ''))) continue
        for (const held of set.tiles.values()) if (concerned(held)) held.dirty = tick
        this.schedule(name)
      }
    }
  }

  /** Anything may have changed. */
  all(): void {
    const tick = ++this.tick
    for (const [name, set] of this.tilesets) {
      for (const held of set.tiles.values()) held.dirty = tick
      this.schedule(name)
    }
  }

  stop(): void {
    for (const set of this.tilesets.values()) this.ports.clearTimer(set.timer)
    this.tilesets.clear()
  }

  private tileset(name: string): Tileset {
    let set = this.tilesets.get(name)
    if (!set) {
      const layers = new Set(name.split(',').map((layer) => layer.replace(labelEnding, '')))
      this.tilesets.set(name, (set = { layers, tiles: new Map(), refreshedAt: -Infinity }))
    }
    return set
  }

  private held(tileset: string, id: TileId): Held | undefined {
    return this.tilesets.get(tileset)?.tiles.get(key(id))
  }

  // Whoever pans for long has held many tiles. Which of them are in view only the map knows: so all are
  // forgotten, and those in view are known again by being fetched.
  private forget(name: string, set: Tileset): void {
    set.tiles.clear()
    this.ports.clearTimer(set.timer)
    set.timer = this.ports.setTimer(() => {
      set.timer = undefined
      set.refreshedAt = this.ports.now()
      this.ports.refresh(name, null)
    }, this.wait(set))
  }

  private wait(set: Tileset): number {
    return Math.max(0, set.refreshedAt + everyMs - this.ports.now())
  }

  private schedule(name: string): void {
    const set = this.tilesets.get(name)
    if (!set || set.timer !== undefined || !dirtyOf(set).length) return
    set.timer = this.ports.setTimer(() => {
      set.timer = undefined
      const dirty = dirtyOf(set)
      if (!dirty.length) return
      set.refreshedAt = this.ports.now()
      this.ports.refresh(name, dirty)
    }, this.wait(set))
  }
}

const key = ({ z, x, y }: TileId) => `${z}/${x}/${y}`

function dirtyOf(set: Tileset): TileId[] {
  const dirty: TileId[] = []
  for (const { z, x, y, begun, dirty: at } of set.tiles.values()) if (at > begun) dirty.push({ z, x, y })
  return dirty
}

/**
 * Tells of a tile whether the ranges of a layer name it. They are of the zooms at which the layer has
 * tiles; a tile deeper than all of them is concerned when its ancestor at the deepest is.
 */
export function coverage(ranges: TileRange[]): (tile: TileId) => boolean {
  const byZoom = new Map<number, TileRange[]>()
  for (const range of ranges) byZoom.set(range[0], [...(byZoom.get(range[0]) ?? []), range])
  const deepest = Math.max(...byZoom.keys())
  return ({ z, x, y }) => {
    const zoom = Math.min(z, deepest)
    const shrink = 2 ** (z - zoom)
    const ax = Math.floor(x / shrink)
    const ay = Math.floor(y / shrink)
    return byZoom.get(zoom)?.some(([, x0, y0, x1, y1]) => ax >= x0 && ax <= x1 && ay >= y0 && ay <= y1) ?? false
  }
}
