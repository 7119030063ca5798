import { useTimeoutFn } from '@vueuse/core'
import { defineStore } from 'pinia'
import { computed, ref } from 'vue'
import * as api from '@/shared/api/endpoints'
import type { Datastream, DatastreamType, Device, DeviceSnapshot, HazardType, Level, Observation } from '@/shared/api/types'
import { serverNow, useNow } from '@/shared/time/clock'
import { applyPresence, effectiveTime, isSilent, presenceEvent, presenceOf, staleAfterMs, staleSince } from './presence'
import { applyUnevaluated, unevaluatedEvent } from './unevaluated'
import type { Position } from '@/shared/live/client'
import type { EventFrame, StateFrame } from '@/shared/live/frames'

const later = (a: string | null | undefined, b: string | null | undefined) =>
  !b || (a ? Date.parse(a) > Date.parse(b) : false)

/**
 * What the snapshot says, except where live state that came while it was on its way is newer: a
 * snapshot may never set a reading back.
 */
export function mergeDevice(next: Device, old: Device | undefined): Device {
  if (!old) return next
  if (old.status_at && later(old.status_at, next.status_at)) {
    next.online = old.online
    next.status_at = old.status_at
    next.reason = old.reason
  }
  if (old.last_seen && later(old.last_seen, next.last_seen)) next.last_seen = old.last_seen
  const before = new Map(old.datastreams?.map((s) => [s.id, s.latest]))
  for (const stream of next.datastreams ?? []) {
    const latest = before.get(stream.id)
    if (latest && later(latest.t, stream.latest?.t)) hear(stream, latest)
  }
  return next
}

/** Takes a reading; one that is of now ends a silence. */
function hear(stream: Datastream, latest: Observation) {
  stream.latest = latest
  const age = Date.parse(latest.received_at) - Date.parse(effectiveTime(latest))
  if (stream.stale_since && later(latest.received_at, stream.stale_since) && age <= staleAfterMs(stream)) stream.stale_since = null
}

/** Applies one state frame; tells whether anything changed. A reading older than the one held is passed over. */
export function applyState(devices: Map<string, Device>, frame: StateFrame): boolean {
  let changed = false
  for (const r of frame.readings ?? []) {
    const device = devices.get(r.device)
    const stream = device?.datastreams?.find((s) => s.id === r.ds)
    if (!device || !stream) continue
    if (stream.latest && !later(r.t, stream.latest.t)) continue
    hear(stream, { datastream_id: r.ds, t: r.t, v: r.v, qc: r.qc, time_source: r.src ?? 1, received_at: frame.at })
    if (later(frame.at, device.last_seen)) device.last_seen = frame.at
    changed = true
  }
  for (const s of frame.status ?? []) {
    const device = devices.get(s.device)
    if (!device || (device.status_at && later(device.status_at, s.at))) continue
    device.online = s.online
    device.reason = 'status'
    device.status_at = s.at
    changed = true
  }
  for (const [id, at] of Object.entries(frame.seen ?? {})) {
    const device = devices.get(id)
    if (!device || !later(at, device.last_seen)) continue
    device.last_seen = at
    changed = true
  }
  return changed
}

/** Drawn grey with a hatch: off line, switched off, or silent. */
export function isStale(device: Device, now: number): boolean {
  return !device.online || !device.enabled || isSilent(device, now)
}

export interface DeviceHealth {
  /** Devices that are switched on. */
  all: number
  /** Those of them that are off line or silent. */
  missing: number
  /** warn below 95 % with data, bad below 80 %. */
  tone: 'ok' | 'warn' | 'bad'
}

/** Sums up the devices. One that a steward switched off is not missed. */
export function healthOf(devices: Iterable<Device>, now: number): DeviceHealth {
  let all = 0
  let missing = 0
  for (const d of devices) {
    if (!d.enabled) continue
    all++
    if (isStale(d, now)) missing++
  }
  const share = all ? (all - missing) / all : 1
  return { all, missing, tone: share < 0.8 ? 'bad' : share < 0.95 ? 'warn' : 'ok' }
}

/**
 * Every device of the scope. Readings come in by the hundred a second, so the map is not reactive:
 * `revision` is, and it grows at most four times a second.
 */
export const useDevices = defineStore('devices', () => {
  const all = new Map<string, Device>()
  const byStream = new Map<number, string>()
  const types = new Map<string, DatastreamType>()
  const hazards = new Map<string, HazardType>()
  const revision = ref(0)
  const levelRevision = ref(0)
  const loaded = ref(false)
  let epoch = ''
  let heldSeq = 0
  const bump = useTimeoutFn(() => revision.value++, 250, { immediate: false })

  function changed() {
    if (!bump.isPending.value) bump.start()
  }

  function takeSnapshot(snapshot: DeviceSnapshot): Position {
    const old = snapshot.epoch === epoch ? new Map(all) : new Map<string, Device>()
    epoch = snapshot.epoch
    heldSeq = snapshot.seq
    all.clear()
    byStream.clear()
    for (const device of snapshot.items ?? []) {
      all.set(device.id, mergeDevice(device, old.get(device.id)))
      for (const s of device.datastreams ?? []) byStream.set(s.id, device.id)
    }
    loaded.value = true
    revision.value++
    levelRevision.value++
    return { epoch: snapshot.epoch, seq: snapshot.seq, id: snapshot.seq_id }
  }

  async function refresh(): Promise<Position> {
    const [snapshot] = await Promise.all([api.devices(), types.size ? null : loadTypes()])
    return takeSnapshot(snapshot)
  }

  async function loadTypes() {
    const list = await api.datastreamTypes()
    for (const type of list.items ?? []) types.set(type.code, type)
    for (const hazard of list.hazard_types ?? []) hazards.set(hazard.code, hazard)
  }

  function takeState(frame: StateFrame) {
    if (applyState(all, frame)) changed()
  }

  /** Devices on and off line, datastreams silent and heard of again. What an event left out is asked for. */
  async function takePresence(frame: EventFrame): Promise<void> {
    const event = presenceEvent(frame.payload)
    if (event && frame.seq > heldSeq && applyPresence(all, event, frame.at)) {
      bump.stop()
      revision.value++
    }
    if (!event || event.more > 0) await refresh()
  }

  /** Devices whose readings are not evaluated, and that are again. What an event left out is asked for. */
  async function takeUnevaluated(frame: EventFrame): Promise<void> {
    const event = unevaluatedEvent(frame.payload)
    if (event && frame.seq > heldSeq && applyUnevaluated(all, event)) changed()
    if (!event || event.more > 0) await refresh()
  }

  /** What is held may be of another past than the server's: the next snapshot takes its place whole. */
  function doubt() {
    epoch = ''
  }

  /** Another person uses the page: nothing stays. */
  function forget() {
    all.clear()
    byStream.clear()
    loaded.value = false
    epoch = ''
    heldSeq = 0
    revision.value++
    levelRevision.value++
  }

  /** A level change is drawn at once: it is what the page is for. */
  function setLevel(id: string, level: Level) {
    const device = all.get(id)
    if (!device || device.level === level) return
    device.level = level
    revision.value++
    levelRevision.value++
  }

  /** The pace that a steward gave a datastream; the registry's event will bring the same. */
  /** Takes over what the server answered to another interval. */
  function setPace(changed: Pick<Datastream, 'id' | 'interval_s' | 'stale_after_s'>) {
    const stream = all.get(byStream.get(changed.id) ?? '')?.datastreams?.find((s) => s.id === changed.id)
    if (!stream) return
    stream.interval_s = changed.interval_s
    stream.stale_after_s = changed.stale_after_s
    revision.value++
  }

  const list = computed(() => {
    void revision.value
    return [...all.values()]
  })
  const online = computed(() => list.value.reduce((n, d) => n + (d.online ? 1 : 0), 0))

  const now = useNow()
  const aged = computed(() => Math.floor(now.value / 5000)) // silence comes with time alone, too
  /** How many of the devices that are switched on have data now. */
  const health = computed(() => (void aged.value, healthOf(list.value, serverNow())))

  function get(id: string): Device | undefined {
    void revision.value
    return all.get(id)
  }
  const stale = (device: Device) => isStale(device, serverNow())
  const presence = (device: Device) => presenceOf(device, serverNow())
  const silentSince = (stream: Datastream) => staleSince(stream, serverNow())

  return { all, byStream, types, hazards, revision, levelRevision, loaded, list, online, health, get, stale, presence, silentSince, refresh, takeSnapshot, doubt, forget, takeState, takePresence, takeUnevaluated, setLevel, setPace }
})
