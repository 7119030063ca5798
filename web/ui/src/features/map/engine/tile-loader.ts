// Fetches tiles for the map. It asks the server about each one, never a memory; does not hand on what
// was overtaken by a notice while it was on its way; and waits for a server that is away, so that a
// tile that is shown stays shown.

import type { TileFreshness, TileId } from './freshness'

export interface LoaderPorts {
  fetch(url: string, init: RequestInit): Promise<Response>
  /** Resolves after so many milliseconds; rejects when the signal aborts. */
  wait(ms: number, signal: AbortSignal): Promise<void>
  /** Whether tiles cannot be had now. */
  failing(now: boolean): void
  /** A tile was handed on that is the same as before. */
  unchanged(): void
}

export interface LoadedTile {
  data: ArrayBuffer
  etag?: string
}

const overtakenMost = 2 // beyond it the tile is handed on as it is, and fetched again by the next refresh
const patienceMs = [1000, 2000, 4000, 8000, 10_000]

/** "/tiles/hazard_zone,land/8/212/97.mvt" as the tileset's name and the tile; null is no such path. */
export function parseTilePath(path: string): { tileset: string; id: TileId } | null {
  const m = /\/tiles\/([a-z0-9_.,]+)\/(\d{1,2})\/(\d{1,8})\/(\d{1,8})\.mvt$/.exec(path)
  return m ? { tileset: m[1]!, id: { z: Number(m[2]), x: Number(m[3]), y: Number(m[4]) } } : null
}

/** A refusal that the same request would get again. */
const isFinal = (status: number) => status >= 400 && status < 500 && status !== 408 && status !== 429

export class TileLoader {
  constructor(
    private readonly freshness: TileFreshness,
    private readonly ports: LoaderPorts,
  ) {}

  /** Gives the tile at a URL. Throws when it cannot be had, and when the signal aborts. */
  async load(url: string, signal: AbortSignal): Promise<LoadedTile> {
    const address = parseTilePath(url)
    if (!address) throw new Error(`no tile's address: ${url}`)
    const { tileset, id } = address
    let failures = 0
    let overtaken = 0
    for (;;) {
      const ticket = this.freshness.began(tileset, id)
      const answer = await this.ask(url, signal)
      if ('data' in answer) {
        this.ports.failing(false)
        if (!this.freshness.isCurrent(tileset, id, ticket) && overtaken++ < overtakenMost) continue
        if (this.freshness.took(tileset, id, ticket, answer.etag)) this.ports.unchanged()
        return answer
      }
      this.ports.failing(true)
      if (answer.final || !this.freshness.has(tileset, id)) {
        if (!answer.final) this.freshness.failed(tileset, id)
        throw new Error(answer.detail)
      }
      await this.ports.wait(patienceMs[Math.min(failures++, patienceMs.length - 1)]!, signal)
    }
  }

  private async ask(url: string, signal: AbortSignal): Promise<LoadedTile | { final: boolean; detail: string }> {
    try {
      // no-cache: the browser may hold the bytes, and asks with their ETag whether they still hold.
      const response = await this.ports.fetch(url, { cache: 'no-cache', credentials: 'same-origin', signal })
      if (!response.ok) return { final: isFinal(response.status), detail: `${url}: HTTP ${response.status}` }
      return { data: await response.arrayBuffer(), etag: response.headers.get('ETag') ?? undefined }
    } catch (cause) {
      if (signal.aborted) throw cause
      return { final: false, detail: `${url}: ${cause instanceof Error ? cause.message : String(cause)}` }
    }
  }
}
