import { defineStore } from 'pinia'
import { computed, ref, shallowReactive } from 'vue'
import * as api from '@/shared/api/endpoints'
import type { Alert, AlertList, Handling, Level } from '@/shared/api/types'
import { rank } from '@/shared/format/levels'
import type { Position } from '@/shared/live/client'
import type { AlertEvent, EventFrame } from '@/shared/live/frames'

const pageSize = 500 // the most that the server gives at once

export interface AlertFilter {
  levels: Level[]
  handling: Handling[]
  query: string
  /** Cleared ones that nobody has closed yet are shown, too. */
  cleared: boolean
}

/** Detection has not ended. A stale alert's data stopped, its level is frozen: it is active. */
export const isActive = (a: Alert) => a.detection !== 'cleared'

/** Still somebody's business: not cleared, or not closed. */
export const isOpen = (a: Alert) => isActive(a) || a.handling !== 'closed'

/** The level that an alert is named by: once it is over, the worst that it had. */
export const namedLevel = (a: Alert): Level => (isActive(a) ? a.level : a.peak_level)

/** When an alert last became news: its last rise, or its end. */
export const newsAt = (a: Alert): string => (isActive(a) ? a.risen_at || a.opened_at : (a.cleared_at ?? a.updated_at))

/** Active before cleared, worst first (of cleared ones by their peak), the newest rise first, then by id. */
export function compareAlerts(a: Alert, b: Alert): number {
  return (
    Number(isActive(b)) - Number(isActive(a)) ||
    rank(namedLevel(a)) - rank(namedLevel(b)) ||
    Date.parse(newsAt(b)) - Date.parse(newsAt(a)) ||
    b.id - a.id
  )
}

/** An alert out of an answer to this viewer. Where it says no steps none are possible: unlike an event's, its silence is an answer. */
export const answered = (a: Alert): Alert => ({ ...a, possible: a.possible ?? [] })

export function matches(a: Alert, f: AlertFilter): boolean {
  if (!f.cleared && !isActive(a)) return false
  if (f.levels.length && !f.levels.includes(namedLevel(a))) return false
  if (f.handling.length && !f.handling.includes(a.handling)) return false
  const q = f.query.trim().toLowerCase()
  if (!q) return true
  return [a.headline.zh, a.headline.en, a.device_name.zh, a.device_name.en, a.device_id, a.division, a.hazard_name.zh, a.hazard_name.en]
    .some((text) => text?.toLowerCase().includes(q))
}

/** Open alerts per level: index is the level, cleared ones do not count. */
export function countByLevel(all: Iterable<Alert>): [number, number, number, number, number] {
  const counts: [number, number, number, number, number] = [0, 0, 0, 0, 0]
  for (const a of all) if (isActive(a)) counts[a.level]++
  return counts
}

/** The open alerts of the scope, and the filter of their list. */
export const useAlerts = defineStore('alerts', () => {
  const all = shallowReactive(new Map<number, Alert>())
  const loaded = ref(false)
  const filter = ref<AlertFilter>({ levels: [], handling: [], query: '', cleared: true })
  /** Ids in the order in which they came live, for the flash and the sound. */
  const arrived = ref<{ id: number; level: Level; n: number } | null>(null)
  let arrivals = 0
  let epoch = ''
  let heldSeq = 0
  /** The versions at which alerts left the list. */
  const left = new Map<number, number>()

  /** Takes an alert unless a newer version of it is held, or has left the list: a late answer does not bring it back. */
  function put(next: Alert): boolean {
    const old = all.get(next.id)
    if ((old?.version ?? left.get(next.id) ?? 0) > next.version) return false
    // An event does not say what the viewer may do; an answer about the same version did.
    const possible = next.possible ?? (old?.version === next.version ? old.possible : undefined)
    if (isOpen(next)) {
      all.set(next.id, possible === next.possible ? next : { ...next, possible })
      left.delete(next.id)
    } else {
      all.delete(next.id)
      left.set(next.id, next.version)
    }
    return true
  }

  function takeSnapshot(snapshot: AlertList): Position {
    const items = snapshot.items ?? []
    const held = new Map(snapshot.epoch === epoch ? all : [])
    if (snapshot.epoch !== epoch) left.clear()
    epoch = snapshot.epoch
    heldSeq = snapshot.seq
    all.clear()
    for (const a of items.map(answered)) {
      const old = held.get(a.id)
      all.set(a.id, old && old.version > a.version ? old : a)
    }
    loaded.value = true
    return { epoch: snapshot.epoch, seq: snapshot.seq, id: snapshot.seq_id }
  }

  async function refresh(): Promise<Position> {
    const first = await api.alerts({ open: true, limit: pageSize })
    const items = [...(first.items ?? [])]
    // More than a page of open alerts: the older ones, each page before the last one's oldest. What
    // happens meanwhile comes as events after the first page's seq.
    for (let page = first; (page.items?.length ?? 0) === pageSize; ) {
      const before = Math.min(...page.items!.map((a) => a.id))
      page = await api.alerts({ open: true, limit: pageSize, before })
      if (page.epoch !== first.epoch) throw new Error('the event log was replaced')
      items.push(...(page.items ?? []))
    }
    return takeSnapshot({ ...first, items })
  }

  function takeEvent(frame: EventFrame): AlertEvent | null {
    const payload = frame.payload as AlertEvent | undefined
    if (!payload?.alert) return null
    const before = all.get(payload.alert.id)
    // A replay begins before the snapshot: of an alert that has ended since, its first events are no news.
    if (frame.seq <= heldSeq || !put(payload.alert)) return payload
    const rose = before ? rank(payload.alert.level) < rank(before.level) : frame.kind === 'alert.issued'
    if (rose && isActive(payload.alert)) {
      arrived.value = { id: payload.alert.id, level: payload.alert.level, n: ++arrivals }
    }
    return payload
  }

  /** What is held may be of another past than the server's: the next snapshot takes its place whole. */
  function doubt() {
    epoch = ''
  }

  /** Another person uses the page: nothing stays. */
  function forget() {
    all.clear()
    loaded.value = false
    arrived.value = null
    filter.value = { levels: [], handling: [], query: '', cleared: true }
    epoch = ''
  }

  const sorted = computed(() => [...all.values()].sort(compareAlerts))
  const shown = computed(() => sorted.value.filter((a) => matches(a, filter.value)))
  const counts = computed(() => countByLevel(all.values()))
  const ofDevice = (id: string) => sorted.value.filter((a) => a.device_id === id)

  return { all, loaded, filter, arrived, sorted, shown, counts, ofDevice, put, refresh, takeSnapshot, takeEvent, doubt, forget }
})
