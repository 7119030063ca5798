// Every call of the HTTP API that the pages make, by name.

import { request, type RequestOptions } from './client'
import type * as T from './types'

const v1 = '/api/v1'
const seg = (part: string | number) => encodeURIComponent(String(part))
type Signal = Pick<RequestOptions, 'signal'>

export const login = (user: string, password: string) =>
  request<T.Me>('POST', `${v1}/session`, { body: { user, password } })
export const logout = () => request<void>('DELETE', `${v1}/session`)
export const me = () => request<T.Me>('GET', `${v1}/me`)
export const sessions = (user?: string) => request<T.Items<T.Session>>('GET', `${v1}/sessions`, { query: { user } })
export const revokeSession = (id: number) => request<void>('DELETE', `${v1}/sessions/${seg(id)}`)

export const accounts = () => request<T.Items<T.Account>>('GET', `${v1}/accounts`)
export const createAccount = (a: { user: string; name: string; role: T.Role; division: string; password: string }) =>
  request<T.Account>('POST', `${v1}/accounts`, { body: a })
export const updateAccount = (
  user: string,
  version: number,
  change: Partial<{ name: string; role: T.Role; division: string; disabled: boolean; password: string }>,
) => request<T.Account>('PATCH', `${v1}/accounts/${seg(user)}`, { body: change, ifMatch: version })

export const divisions = (level?: 'town') => request<T.Items<T.Division>>('GET', `${v1}/divisions`, { query: { level } })
export const layers = () => request<T.LayerList>('GET', `${v1}/layers`)
export const layer = (name: string) => request<T.Layer>('GET', `${v1}/layers/${seg(name)}`)
/** What a steward may change of a layer's tiles. Rules are given whole; in_tile names the fields that go into tiles. */
export interface LayerTileChange {
  min_zoom?: number
  max_zoom?: number
  tile?: T.TileRules
  in_tile?: string[]
}
export const updateLayer = (name: string, version: number, change: LayerTileChange) =>
  request<T.Layer>('PATCH', `${v1}/layers/${seg(name)}`, { body: change, ifMatch: version })
export const layerHealth = (options: Signal = {}) => request<T.LayerHealthList>('GET', `${v1}/tiles/layers`, options)
export const features = (
  layer: string,
  query: { bbox?: string; after?: number; limit?: number } = {},
  options: Signal = {},
) => request<T.FeatureCollection>('GET', `${v1}/layers/${seg(layer)}/features`, { query, ...options })
export const feature = (layer: string, id: number | string, options: Signal = {}) =>
  request<T.Feature>('GET', `${v1}/layers/${seg(layer)}/features/${seg(id)}`, options)

export const devices = () => request<T.DeviceSnapshot>('GET', `${v1}/devices`)
export const device = (id: string) => request<T.Device>('GET', `${v1}/devices/${seg(id)}`)
export const changeDevice = (id: string, enabled: boolean) => request<T.Device>('PATCH', `${v1}/devices/${seg(id)}`, { body: { enabled } })
export const renewSecret = (id: string) => request<{ secret: string }>('POST', `${v1}/devices/${seg(id)}/secret`)
export const putCertificate = (id: string, body: { sha256: string } | { pem: string }) =>
  request<T.Certificate>('PUT', `${v1}/devices/${seg(id)}/certificate`, { body })
export const deleteCertificate = (id: string) => request<void>('DELETE', `${v1}/devices/${seg(id)}/certificate`)
export const changeDatastream = (id: number, interval_s: number | null) =>
  request<T.Datastream>('PATCH', `${v1}/datastreams/${seg(id)}`, { body: { interval_s } })
export const datastreamTypes = () =>
  request<{ items: T.DatastreamType[]; hazard_types: T.HazardType[] }>('GET', `${v1}/datastream-types`)
export const streamChart = (
  datastream: number,
  query: { from?: string; to?: string; points?: number } = {},
  options: Signal = {},
) => request<T.ChartData>('GET', `${v1}/datastreams/${seg(datastream)}/chart`, { query, ...options })

export const rules = () => request<T.Items<T.Rule>>('GET', `${v1}/rules`)
export type RuleBody = Omit<T.Rule, 'id' | 'version' | 'updated_at' | 'updated_by'>
export const createRule = (body: RuleBody) => request<T.Rule>('POST', `${v1}/rules`, { body })
export const updateRule = (id: number, version: number, body: RuleBody) =>
  request<T.Rule>('PUT', `${v1}/rules/${seg(id)}`, { body, ifMatch: version })
export const deleteRule = (id: number, version: number) =>
  request<void>('DELETE', `${v1}/rules/${seg(id)}`, { ifMatch: version })

export const alerts = (query: { open?: boolean; level?: string; device?: string; limit?: number; before?: number } = {}) =>
  request<T.AlertSnapshot>('GET', `${v1}/alerts`, { query })
export const alert = (id: number) => request<T.AlertDetail>('GET', `${v1}/alerts/${seg(id)}`)
export const handleAlert = (
  id: number,
  action: T.AlertAction,
  body: { note?: string; assignee?: string } = {},
  options: Signal = {},
) => request<{ alert: T.Alert }>('POST', `${v1}/alerts/${seg(id)}/${action}`, { body, ...options })
export const assignees = () => request<T.Items<T.Assignee>>('GET', `${v1}/assignees`)

export const ingest = (options: Signal = {}) => request<T.IngestStats>('GET', `${v1}/ingest`, options)
export const events = (query: { kind: string; device?: string; limit?: number; before?: number }) =>
  request<T.Items<T.TimelineEvent>>('GET', `${v1}/events`, { query })
export const conflicts = (query: { datastream?: number; limit?: number; before?: number } = {}) =>
  request<T.Items<T.Conflict>>('GET', `${v1}/conflicts`, { query })
export const quarantine = (query: { limit?: number; before?: number } = {}) =>
  request<T.Items<T.Quarantined>>('GET', `${v1}/quarantine`, { query })
export const search = (q: string, limit = 20, options: Signal = {}) =>
  request<T.Items<T.Hit>>('GET', `${v1}/search`, { query: { q, limit }, ...options })
export const sources = () => request<{ items: T.SourceFile[]; attribution: string }>('GET', `${v1}/sources`)
export const health = () => request<T.Health>('GET', `${v1}/health`)
