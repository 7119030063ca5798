// Ties the tile sources of a MapLibre map to their freshness: every tile is fetched by tile-loader.ts
// under a protocol of this map's own, and what changed is refreshed while it stays drawn.

import { addProtocol, removeProtocol, type Map as MapLibre, type MapSourceDataEvent, type RequestParameters, type ResourceType } from 'maplibre-gl'
import type { TilesFrame } from '@/shared/live/frames'
import { pageHeaders } from '@/shared/api/client'
import { TileFreshness, type TileId } from './freshness'
import { parseTilePath, TileLoader } from './tile-loader'

/**
 * Options that a map needs for it. MapLibre keeps no tile that is out of view: it could not be told that
 * one changed. And it makes none by cutting up a parent: the pieces are kept under the parent's address
 * and would survive it.
 */
export const liveTileOptions = { maxTileCacheSize: 0, refreshExpiredTiles: false, zoomLevelsToOverscale: undefined } as const

const settleMs = 100

// Give or take a quarter: pages that lost a server together do not come back together.
function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer)
      reject(signal.reason)
    }
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', stop)
      resolve()
    }, ms * (0.75 + Math.random() / 2))
    signal.addEventListener('abort', stop, { once: true })
  })
}

export class LiveTiles {
  private readonly scheme = `tiles-${crypto.getRandomValues(new Uint32Array(1))[0]!.toString(36)}`
  private readonly freshness = new TileFreshness({
    now: () => performance.now(),
    setTimer: (f, ms) => setTimeout(f, ms),
    clearTimer: (id) => clearTimeout(id as ReturnType<typeof setTimeout>),
    refresh: (tileset, tiles) => this.refresh(tileset, tiles),
  })
  private map: MapLibre | null = null
  private settling: ReturnType<typeof setInterval> | undefined
  /** Which sources of the style a tileset is drawn from. */
  private readonly sources = new Map<string, Set<string>>()

  constructor(failing: (now: boolean) => void) {
    const loader = new TileLoader(this.freshness, { fetch: (url, init) => fetch(url, { ...init, headers: pageHeaders() }), wait: pause, failing, unchanged: () => this.settle() })
    addProtocol(this.scheme, ({ url }, abort) => loader.load(url.slice(this.scheme.length + '://'.length), abort.signal))
  }

  /** Sends the requests for tiles this way; for the map's option transformRequest. */
  readonly transformRequest = (url: string, type?: ResourceType): RequestParameters =>
    type === 'Tile' && parseTilePath(url) ? { url: `${this.scheme}://${url}` } : { url }

  /** Follows what the map draws. */
  attach(map: MapLibre): void {
    this.map = map
    map.on('sourcedataloading', ({ sourceId, coord }) => coord && this.learn(sourceId))
    map.on('sourcedata', (event) => this.drawn(event))
    map.on('moveend', () => this.freshness.moved())
    map.on('idle', () => this.freshness.moved())
  }

  /** Tiles changed on the server. */
  notice(frame: TilesFrame): void {
    this.freshness.notice(frame)
  }

  /** Notices may have been missed. */
  doubt(): void {
    this.freshness.all()
  }

  remove(): void {
    clearInterval(this.settling)
    this.freshness.stop()
    removeProtocol(this.scheme)
  }

  // For a tile that came back unchanged MapLibre draws no frame, and without one it says neither that it
  // has loaded nor that it is at rest.
  private settle(): void {
    this.settling ??= setInterval(() => {
      if (!this.map?.areTilesLoaded()) return
      clearInterval(this.settling)
      this.settling = undefined
      this.map.triggerRepaint()
    }, settleMs)
  }

  private drawn({ sourceId, tile, coord }: MapSourceDataEvent): void {
    const tileset = coord && this.tilesetOf(sourceId)
    if (tileset) this.freshness.drawn(tileset, coord.canonical, (tile as { etag?: string }).etag)
  }

  private learn(source: string): void {
    const tileset = this.tilesetOf(source)
    if (tileset) this.sources.set(tileset, (this.sources.get(tileset) ?? new Set()).add(source))
  }

  private tilesetOf(source: string): string | undefined {
    const { tiles } = (this.map?.getSource(source) ?? {}) as { tiles?: string[] }
    return tiles?.[0] && /\/tiles\/([^/]+)\//.exec(tiles[0])?.[1]
  }

  private refresh(tileset: string, tiles: TileId[] | null): void {
    for (const source of this.sources.get(tileset) ?? []) {
      if (this.tilesetOf(source) === tileset) this.map?.refreshTiles(source, tiles ?? undefined)
    }
  }
}
