// The wire shapes of layers, their features and their tiles: risk, tiles, web/api/layers.go.

import type { Level, Origin, Role, Text } from './types'

export interface Field {
  name: string
  type: string
  title: Text
  unit?: string
  in_tile: boolean
}

/** A raster of square cells of so many tile units (4,096 a tile), through a zoom; a cell of 0 is nowhere. */
export interface TileGrid {
  cell: number
  to_zoom: number
}

/** How a layer is drawn into tiles; what is left out is the server's default. */
export interface TileRules {
  severity?: string
  simplify?: number
  thin?: TileGrid
  cluster?: TileGrid
  buffer?: number
  source?: '' | 'memory' | 'database'
}

export interface Layer {
  name: string
  theme: string
  title: Text
  owner: Text
  origin: Origin
  audience: { kind: string; roles?: Role[] }
  source: string
  licence: string
  attribution: string
  updated_on: string
  cycle_days: number
  geometry_type: string
  min_zoom: number
  max_zoom: number
  fields: Field[] | null
  tile: TileRules
  version: number
  count: number
  bbox: number[] | null
  modified_at: string
}

/** What of a layer could not be put into tiles, and why. */
export interface Undrawn {
  id: number
  division: string
  reason: string
  /** The rest of it is shown. */
  partly: boolean
}

/** How a layer's tiles are doing on the node that answers. */
export interface LayerHealth {
  layer: string
  title: Text
  /** Where its tiles are made; loading until the first can be. */
  source: 'memory' | 'database' | 'loading'
  features: number
  vertices: number
  /** Of memory. */
  bytes: number
  catalogue_version: number
  loaded_at?: string
  load_seconds: number
  last_change?: string
  /** Features changed since the node was started. */
  changes: number
  /** From the writing of the last change until this node's tiles had it. */
  lag_seconds: number
  tiles_cached: number
  /** Parts of tiles that were over their budget of bytes. */
  thinned: number
  undrawn_count: number
  /** Some of those; there may be more. */
  undrawn: Undrawn[] | null
  rules: TileRules
}

/** What tells of changes in the database; its age is since it was last read to its end. */
export interface FeedState {
  ok: boolean
  age_seconds: number
  /** In English; code and params say the same. */
  detail: string
  code?: string
  params?: Record<string, string>
}

export interface CacheState {
  bytes: number
  max_bytes: number
  hits: number
  misses: number
}

export interface LayerHealthList {
  items: LayerHealth[] | null
  feed: FeedState
  cache: CacheState
}

export interface LayerList {
  items: Layer[]
  themes: { code: string; title: Text }[]
}

export type Position = number[]
export type Geometry =
  | { type: 'Point'; coordinates: Position }
  | { type: 'MultiPoint' | 'LineString'; coordinates: Position[] }
  | { type: 'Polygon' | 'MultiLineString'; coordinates: Position[][] }
  | { type: 'MultiPolygon'; coordinates: Position[][][] }

export interface FeatureProperties {
  key: string
  division: string
  name: Text
  level: Level
  origin: Origin
  /** In a sentence of the server's: the import, and what was done by hand. */
  source: string
  /** The source of its import alone; empty when it was drawn by hand. */
  import: string
  by_hand: ByHand
  modified_at: string
  fields: Record<string, unknown> | null
}

/** What a person did to a feature; by is empty and at missing when it was not written down. */
export interface Act {
  by: string
  at?: string
}

export interface ByHand {
  drawn?: Act
  moved?: Act
  edited?: Act
}

/** What of a feature a change concerned; what is missing did not differ. */
export interface FeatureState {
  division?: string
  name?: Text
  level?: Level
  origin?: Origin
  source?: string
  fields?: Record<string, unknown>
  geometry?: Geometry
}

/** One entry of a feature's history. */
export interface FeatureChange {
  id: number
  at: string
  kind: 'created' | 'updated' | 'deleted'
  via: 'hand' | 'import' | 'database'
  actor: string
  source: string
  before?: FeatureState
  after?: FeatureState
}

/** The payload of layer.changed. Without counts it does not tell of features; beyond 500 ids of a kind the counts alone do. */
export interface LayerChanged {
  layer: string
  version: number
  bbox: number[] | null
  created?: number[]
  updated?: number[]
  deleted?: number[]
  counts?: { created: number; updated: number; deleted: number }
}

export interface Feature {
  type: 'Feature'
  id: number
  geometry: Geometry
  properties: FeatureProperties
}

export interface FeatureCollection {
  type: 'FeatureCollection'
  features: Feature[]
}
