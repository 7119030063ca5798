// Every call of the HTTP API that the pages make, by name.

import { at } from './base'
import { request, url, type RequestOptions } from './client'
import { everyPage } from './pages'
import type * as T from './types'

const v1 = at('/api/v1')
const seg = (part: string | number) => encodeURIComponent(String(part))
type Signal = Pick<RequestOptions, 'signal'>

export const login = (user: string, password: string) =>
  request<T.Me>('POST', `${v1}/session`, { body: { user, password } })
export const logout = () => request<void>('DELETE', `${v1}/session`)
/** Ends the other sessions of the one who is logged in. */
export const changePassword = (current_password: string, new_password: string) =>
  request<void>('POST', `${v1}/me/password`, { body: { current_password, new_password } })
export const failedLogins = (query: T.FailedLoginFilter & { limit?: number; before?: number } = {}) =>
  request<T.Page<T.FailedLogin>>('GET', `${v1}/failed-logins`, { query: { ...query } })
export const me = () => request<T.Me>('GET', `${v1}/me`)
/** Whether the server lets a page of this address connect; the error says why not. */
export const checkPush = (origin: string) => request<void>('GET', `${v1}/push`, { query: { origin } })
/** The longest page that the lists below take. */
const longest = 1000

export const sessions = (user?: string) =>
  everyPage((before) => request<T.Page<T.Session>>('GET', `${v1}/sessions`, { query: { user, before, limit: longest } }))
export const revokeSession = (id: number) => request<void>('DELETE', `${v1}/sessions/${seg(id)}`)

export const accounts = () =>
  everyPage((after) => request<T.Page<T.Account>>('GET', `${v1}/accounts`, { query: { after, limit: longest } }))
export const createAccount = (a: T.NewAccount) =>
  request<T.Account>('POST', `${v1}/accounts`, { body: a })
export const updateAccount = (
  user: string,
  version: number,
  change: T.AccountChange,
) => request<T.Account>('PATCH', `${v1}/accounts/${seg(user)}`, { body: change, ifMatch: version })

export const divisions = (level?: 'town') => request<T.Page<T.Division>>('GET', `${v1}/divisions`, { query: { level } })
export const layers = () => request<T.Layers>('GET', `${v1}/layers`)
export const layer = (name: string) => request<T.Layer>('GET', `${v1}/layers/${seg(name)}`)
export const updateLayer = (name: string, version: number, change: T.LayerChange) =>
  request<T.Layer>('PATCH', `${v1}/layers/${seg(name)}`, { body: change, ifMatch: version })
export const setLayerStyle = (name: string, version: number, style: unknown) =>
  request<T.Layer>('PUT', `${v1}/layers/${seg(name)}/style`, { body: style, ifMatch: version })
export const removeLayerStyle = (name: string, version: number) =>
  request<T.Layer>('DELETE', `${v1}/layers/${seg(name)}/style`, { ifMatch: version })
export const layerHealth = (options: Signal = {}) => request<T.LayerHealth>('GET', `${v1}/tiles/layers`, options)
export const features = (
  layer: string,
  query: { bbox?: string; after?: number; limit?: number } = {},
  options: Signal = {},
) => request<T.FeatureCollection>('GET', `${v1}/layers/${seg(layer)}/features`, { query, exact: true, ...options })
export const feature = (layer: string, id: number | string, options: Signal = {}) =>
  request<T.Feature>('GET', `${v1}/layers/${seg(layer)}/features/${seg(id)}`, { exact: true, ...options })
/** Who changed a feature, the newest first. */
export const featureHistory = (layer: string, id: number | string, query: { limit?: number; before?: number } = {}, options: Signal = {}) =>
  request<T.Page<T.FeatureChange>>('GET', `${v1}/layers/${seg(layer)}/features/${seg(id)}/history`, { query, exact: true, ...options })

/** Every device, as of the first page's seq and batch: what the push sends from there on is applied to all of them. */
export const devices = (): Promise<T.DeviceSnapshot> => {
  let epoch = ''
  return everyPage<T.Device, T.DeviceSnapshot>(async (after) => {
    const page = await request<T.DeviceSnapshot>('GET', `${v1}/devices`, { query: { after, limit: longest } })
    if (epoch && page.epoch !== epoch) throw new Error('the event log was replaced')
    epoch = page.epoch
    return page
  })
}
export const device = (id: string) => request<T.Device>('GET', `${v1}/devices/${seg(id)}`)
export const changeDevice = (id: string, enabled: boolean) => request<T.Device>('PATCH', `${v1}/devices/${seg(id)}`, { body: { enabled } })
export const renewSecret = (id: string) => request<{ secret: string }>('POST', `${v1}/devices/${seg(id)}/secret`)
export const putCertificate = (id: string, body: T.NewCertificate) =>
  request<T.Certificate>('PUT', `${v1}/devices/${seg(id)}/certificate`, { body })
export const deleteCertificate = (id: string) => request<void>('DELETE', `${v1}/devices/${seg(id)}/certificate`)
export const changeDatastream = (id: number, interval_s: number | null) =>
  request<T.Datastream>('PATCH', `${v1}/datastreams/${seg(id)}`, { body: { interval_s } })
export const datastreamTypes = () =>
  request<T.DatastreamTypes>('GET', `${v1}/datastream-types`)
export const streamChart = (
  datastream: number,
  query: { from?: string; to?: string; points?: number } = {},
  options: Signal = {},
) => request<T.Chart>('GET', `${v1}/datastreams/${seg(datastream)}/chart`, { query, ...options })

export const rules = () =>
  everyPage((after) => request<T.Page<T.Rule>>('GET', `${v1}/rules`, { query: { after, limit: longest } }))
export const createRule = (body: T.RuleInput) => request<T.Rule>('POST', `${v1}/rules`, { body })
export const updateRule = (id: number, version: number, body: T.RuleInput) =>
  request<T.Rule>('PUT', `${v1}/rules/${seg(id)}`, { body, ifMatch: version })
export const deleteRule = (id: number, version: number) =>
  request<void>('DELETE', `${v1}/rules/${seg(id)}`, { ifMatch: version })

export const alerts = (query: T.AlertFilter & { limit?: number; before?: number } = {}, options: Signal = {}) =>
  request<T.AlertList>('GET', `${v1}/alerts`, { query: { ...query }, ...options })
/** A page of the history with how many match in all; the next page is before the last one's id. */
export const alertsHistory = (filter: T.AlertFilter, page: { limit?: number; before?: number } = {}, options: Signal = {}) =>
  request<T.AlertList>('GET', `${v1}/alerts`, { query: { state: 'all', ...filter, ...page, count: true }, ...options })
/** The address of a file with what the filter matches, in the reader's language. */
export const exportUrl = (format: 'csv' | 'xlsx', lang: 'zh' | 'en', filter: T.AlertFilter = {}) =>
  url(`${v1}/alerts/export`, { format, lang, ...filter })
export const alert = (id: number, options: Signal = {}) => request<T.AlertDetail>('GET', `${v1}/alerts/${seg(id)}`, options)
/** What a person says with a handling step. Resolving or closing what has not cleared needs a note and confirm. */
export type StepWords = Pick<T.AlertStep, 'note' | 'assignee' | 'confirm'>
export const handleAlert = (id: number, action: T.AlertAction, body: T.AlertStep = {}, options: Signal = {}) =>
  request<{ alert: T.Alert }>('POST', `${v1}/alerts/${seg(id)}/${action}`, { body, ...options })
/** An alert as the person was shown it. */
export interface Shown {
  id: number
  level: T.Level
}
/** One step on at most 500 alerts, each by itself: some may be refused. */
export const handleAlerts = (shown: readonly Shown[], action: T.AlertAction, body: StepWords = {}, options: Signal = {}) =>
  request<{ items: T.BulkItem[] }>('POST', `${v1}/alerts/bulk`, { body: { action, ids: shown.map((a) => a.id), levels: shown.map((a) => a.level), ...body }, ...options })
/** Who the alert may be assigned to by the viewer. */
export const assigneesOf = (alert: number, options: Signal = {}) =>
  everyPage((after) => request<T.Page<T.Assignee>>('GET', `${v1}/assignees`, { query: { alert, after, limit: longest }, ...options }))
export const assignees = () =>
  everyPage((after) => request<T.Page<T.Assignee>>('GET', `${v1}/assignees`, { query: { after, limit: longest } }))

/** The newest first; current: those that are in force or will be. */
export const silences = (query: { current?: boolean } = {}, options: Signal = {}) =>
  everyPage((before) => request<T.Page<T.Silence>>('GET', `${v1}/silences`, { query: { ...query, before, limit: longest }, ...options }))
export const createSilence = (body: T.NewSilence) => request<T.Silence>('POST', `${v1}/silences`, { body })
export const endSilence = (id: number) => request<T.Silence>('POST', `${v1}/silences/${seg(id)}/end`)

export const ingest = (options: Signal = {}) => request<T.IngestStats>('GET', `${v1}/ingest`, options)
export const events = (query: { kind: string; device?: string; limit?: number; before?: number }) =>
  request<T.Page<T.LogEvent>>('GET', `${v1}/events`, { query })
export const conflicts = (query: { datastream?: number; limit?: number; before?: number } = {}) =>
  request<T.Page<T.Conflict>>('GET', `${v1}/conflicts`, { query })
export const quarantine = (query: { limit?: number; before?: number } = {}) =>
  request<T.Page<T.Quarantined>>('GET', `${v1}/quarantine`, { query })
export const search = (q: string, limit = 20, options: Signal = {}) =>
  request<T.Page<T.Hit>>('GET', `${v1}/search`, { query: { q, limit }, ...options })
export const sources = () => request<T.Sources>('GET', `${v1}/sources`)
export const health = () => request<T.ServerHealth>('GET', `${v1}/health`)

export const displays = (signal?: AbortSignal) =>
  everyPage((before) => request<T.Page<T.Display>>('GET', `${v1}/displays`, { query: { before, limit: longest }, signal }))
export const createDisplay = (body: T.NewDisplay) => request<T.DisplayLink>('POST', `${v1}/displays`, { body })
export const renewDisplayLink = (id: number) => request<T.DisplayLink>('POST', `${v1}/displays/${id}/link`)
export const revokeDisplay = (id: number) => request<void>('DELETE', `${v1}/displays/${id}`)
export const previewLink = (token: string) => request<T.LinkPreview>('POST', `${v1}/display-links/preview`, { body: { token } })
export const claimLink = (token: string) => request<T.Me>('POST', `${v1}/display-links/claim`, { body: { token } })
