// Whole things of the API for unit tests: a test names only the members that it is about.

import type { Alert, Datastream, Device, Layer, LogEvent, Me, Rule } from '@/shared/api/types'
import type { EventFrame, StateFrame } from '@/shared/live/frames'

const start = Date.parse('2026-11-23T06:00:00Z')

/** The time so many seconds after the beginning of a test's day. */
export const at = (seconds: number) => new Date(start + seconds * 1000).toISOString()
export const text = (zh: string, en = zh) => ({ zh, en })

export const aStream = (id: number, over: Partial<Datastream> = {}): Datastream => ({
  id, device_id: 'D1', name: `s${id}`, type: 'water_level', title: text(''), interval_s: 60, stale_after_s: 180, stale_since: null,
  latest: { datastream_id: id, t: at(0), v: 1, qc: 1, received_at: at(0) },
  ...over,
})

export const aDevice = (over: Partial<Device> = {}): Device => ({
  id: 'D1', division: '370602', name: text('甲', 'A'), hazard_type: 'flood', lon: 121, lat: 37, origin: 'synthetic', source: '', enabled: true, online: true,
  status_at: at(0), reason: 'status', last_seen: at(0), clock_offset_s: null, level: 0, datastreams: [aStream(1)],
  ...over,
})

export const anAlert = (id: number, over: Partial<Alert> = {}): Alert => ({
  id, rule_id: 1, rule_name: text(''), datastream_id: 1, device_id: 'D1', device_name: text('甲站', 'Station A'), hazard: 'flood', hazard_name: text('洪水', 'Flood'),
  property: 'water_level', property_name: text('水位', 'Level'), symbol: 'm', level: 3, peak_level: 3, detection: 'firing', handling: 'new', division: '370602',
  divisions: ['370602'], headline: text('洪水', 'Flood'), lon: 121, lat: 37, area: [[[121, 37], [121.1, 37], [121.1, 37.1], [121, 37]]], onset: at(0),
  opened_at: at(id), updated_at: at(id), cleared_at: null, value: 4, value_at: at(0), threshold: 3, direction: 'above', origin: 'synthetic', identifier: '',
  expires: at(3600), assignee: '', version: 1, peak_value: 4, peak_at: at(0), risen_at: at(id), risen_from: 0, reopened: null, handled_level: 0, confirmations: [],
  flaps: 0,
  ...over,
})

export const aRule = (over: Partial<Rule> = {}): Rule => ({
  id: 1, name: text('水位', 'Water level'), datastream_type: 'water_level', direction: 'above', thresholds: [{ level: 1, raise: 4, clear: 3 }], for_seconds: 0,
  hold_seconds: 180, enabled: true, origin: 'real', version: 1, updated_at: at(0), updated_by: '',
  ...over,
})

export const aLayer = (name: string, over: Partial<Layer> = {}): Layer => ({
  name, theme: 'place', title: text(name), owner: text(''), origin: 'real', audience: { kind: 'public' }, source: '', licence: '', attribution: '', updated_on: at(0),
  cycle_days: 0, geometry_type: 'Point', min_zoom: 0, max_zoom: 14, fields: [], tile: {}, version: 1, count: 1, bbox: null, modified_at: at(0),
  ...over,
})

export const aMe = (over: Partial<Me> = {}): Me => ({
  user: 'me', name: '我', role: 'city_commander', division: '3706', division_name: text('烟台市', 'Yantai'), permissions: ['view', 'handle-alert'], expires: at(3600),
  ends: null, display: null, server: { version: '1', time: at(0), simulated: false, node: 'n1', build: 'b1' },
  city: { code: '3706', name: text('烟台市', 'Yantai'), bbox: [119.5, 36.5, 122, 38.4], center: [121.4, 37.5] }, timezone: 'Asia/Shanghai',
  ...over,
})

export const anEvent = (seq: number, kind: string, payload: unknown, over: Partial<EventFrame> = {}): EventFrame => ({
  type: 'event', seq, id: `e${seq}`, at: at(0), kind, subject: '', actor: '', divisions: [], payload, ...over,
})

export const aState = (over: Partial<StateFrame>): StateFrame => ({ type: 'state', at: at(0), batch: 1, batch_id: 'b1', readings: [], status: [], ...over })

export const aLogEvent = (seq: number, kind: string, payload: unknown, over: Partial<LogEvent> = {}): LogEvent => ({
  seq, id: `e${seq}`, at: at(0), kind, divisions: [], subject: '', payload, ...over,
})
