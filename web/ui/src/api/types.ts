// The wire shapes, from the json tags of the Go domain types. Times are RFC 3339 strings in UTC,
// coordinates are lon, lat in EPSG:4326, units are UCUM with a readable symbol.

import type { Level } from '../theme/tokens'

export type { Level }
export type * from './types-sensing'

export interface Text {
  zh: string
  en: string
}

export type Origin = 'real' | 'schematic' | 'synthetic' | 'fact-table'
export type Role =
  | 'city_commander'
  | 'county_responder'
  | 'data_steward'
  | 'observer'
  | 'administrator'
export type Permission = 'view' | 'handle-alert' | 'edit-data' | 'edit-rules' | 'accounts'

/** One fault of several; detail is English, and code and params say the same where it has a code. */
export interface ProblemFault {
  field: string
  detail: string
  code?: string
  params?: Record<string, string>
}

export interface Problem {
  type?: string
  title?: string
  status?: number
  detail?: string
  kind?: string
  field?: string
  code?: string
  params?: Record<string, string>
  errors?: ProblemFault[]
}

export interface Me {
  user: string
  name: string
  role: Role
  division: string
  division_name: Text
  permissions: Permission[]
  expires: string
  server: { version: string; time: string; simulated: boolean; node: string }
  city: { code: string; name: Text; bbox: [number, number, number, number]; center: [number, number] }
  timezone: string
}

export interface Account {
  id: number
  user: string
  name: string
  role: Role
  division: string
  disabled: boolean
  created_at: string
  version: number
}

export interface Session {
  id: number
  account_id: number
  user: string
  created_at: string
  expires_at: string
  last_seen: string
  revoked_at: string | null
  remote: string
  agent: string
}

export interface Division {
  code: string
  name: Text
  parent: string
  valid_from?: string
  valid_to?: string
  successor?: string
  lon: number
  lat: number
}

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
  detail: string
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
  source: string
  modified_at: string
  fields: Record<string, unknown> | null
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

export interface Observation {
  datastream_id: number
  t: string
  v: number
  qc: number
  time_source?: number
  received_at: string
}

export interface Datastream {
  id: number
  device_id: string
  name: string
  type: string
  title: Text
  latest: Observation | null
  /** Expected pace, seconds. */
  interval_s: number
  /** Since when it is silent, three intervals missed. */
  stale_since: string | null
}

export interface Device {
  id: string
  division: string
  name: Text
  hazard_type: string
  site?: string
  lon: number
  lat: number
  origin: Origin
  source: string
  enabled: boolean
  online: boolean
  status_at: string | null
  /** Why online is what it is: status, silence, reading; empty: never seen. */
  reason: string
  last_seen: string | null
  level: Level
  datastreams: Datastream[] | null
  /** Of its client certificate, for those who may manage it. */
  cert_sha256?: string
}

export interface DeviceSnapshot {
  epoch: string
  seq: number
  batch: number
  at: string
  items: Device[]
}

export interface DatastreamType {
  code: string
  title: Text
  unit: string
  symbol: string
  hazard_type: string
  min: number
  max: number
  decimals: number
  interval_s: number
  retention: string
}

export interface HazardType {
  code: string
  title: Text
  sector: string
  cap_category: string
  radius_m: number
  instruction: Text
  lead_minutes: number
}

export type Direction = 'above' | 'below'

export interface Threshold {
  level: Level
  raise: number
  clear: number
}

export interface Rule {
  id: number
  name: Text
  datastream_type: string
  datastream_id?: number
  direction: Direction
  thresholds: Threshold[]
  for_seconds: number
  enabled: boolean
  origin: Origin
  version: number
  updated_at: string
  updated_by: string
}

export type Detection = 'normal' | 'pending' | 'firing' | 'recovering' | 'cleared' | 'stale'
export type Handling = 'new' | 'acknowledged' | 'assigned' | 'resolved' | 'closed'
export type AlertAction = 'acknowledge' | 'assign' | 'resolve' | 'close'

export interface Alert {
  id: number
  rule_id: number
  rule_name: Text
  datastream_id: number
  device_id: string
  device_name: Text
  hazard: string
  hazard_name: Text
  property: string
  property_name: Text
  symbol: string
  level: Level
  peak_level: Level
  detection: Detection
  handling: Handling
  division: string
  divisions: string[] | null
  headline: Text
  lon: number
  lat: number
  area: Position[][] | null
  onset: string
  opened_at: string
  updated_at: string
  cleared_at: string | null
  value: number
  value_at: string
  threshold: number
  direction: Direction
  origin: Origin
  identifier: string
  expires: string
  assignee: string
  version: number
}

export interface AlertSnapshot {
  epoch: string
  seq: number
  items: Alert[]
}

export interface Audit {
  id: number
  at: string
  actor: string
  division: string
  step: string
  before: string
  after: string
  note: string
}

export interface CapMessage {
  identifier: string
  alert_id: number
  msg_type: string
  sent: string
  expires: string
}

export interface Person {
  user: string
  name: string
  at: string
}

export interface Delivery {
  division: string
  name: Text
  connected: Person[] | null
  received: Person[] | null
  confirmed: Person[] | null
}

export interface AlertDetail {
  alert: Alert
  history: Audit[] | null
  messages: CapMessage[] | null
  deliveries: Delivery[] | null
}

export interface Assignee {
  user: string
  name: string
  role: Role
  division: string
}

/** One thing that is wrong, by a code and what goes into its sentence. */
export interface Fault {
  field?: string
  code: string
  params?: Record<string, string>
}

export interface Quarantined {
  id: number
  at: string
  device_id: string
  topic: string
  reason: string
  /** In English. */
  detail: string
  /** The same by codes; rows of before codes were kept have none. */
  faults?: Fault[]
  payload: string
  size: number
}

export interface Hit {
  kind: 'feature' | 'device' | 'division'
  layer?: string
  id: string
  name: Text
  division: string
  level: Level
  lon: number
  lat: number
}

export interface PartHealth {
  part: string
  ok: boolean
  lag_s?: number
  detail?: string
}

export interface Health {
  ok: boolean
  parts: PartHealth[] | null
}

export interface SourceFile {
  file: string
  title: Text
  source: string
  version: string
  sha256: string
  licence: string
  origin: Origin
  attribution: string
  note: string
}

export interface Items<T> {
  items: T[] | null
}
