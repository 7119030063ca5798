// Whether this page can do its work: every part that fails reports here, one place says it on every page, and the
// alarm's voice asks here.

import { defineStore } from 'pinia'
import { computed, ref, shallowRef } from 'vue'
import type { Message, MessageKey } from '@/shared/i18n'

/** broken: the page no longer does its work. warning: it still does, and somebody should know. */
export type Severity = 'broken' | 'warning'

export interface WatchProblem extends Message {
  severity: Severity
  action?: { key: MessageKey; run: () => void }
}

/** A problem with the part that has it. */
export interface Reported extends WatchProblem {
  part: string
}

/** Loads the page anew. */
export const reload: WatchProblem['action'] = { key: 'watch.reload', run: () => location.reload() }

/** What the map reports as part 'map': its graphics context is lost and the map is being rebuilt. */
export const mapRebuilding: WatchProblem = { key: 'watch.map', severity: 'broken' }
/** The map could not be rebuilt. */
export const mapLost: WatchProblem = { key: 'watch.mapLost', severity: 'broken', action: reload }

/** The order in which they stand: what must be mended first is above. Others follow by name. */
const order = ['session', 'picture', 'offline', 'feed', 'origin', 'map', 'version']

/** Parts that may fail while alarms still come through. */
const besides = new Set(['map', 'version', 'part:layers', 'part:certificate'])

const rank = (part: string) => (order.includes(part) ? order.indexOf(part) : order.length)

/** The problems in the order in which they are shown. */
export function sorted(all: ReadonlyMap<string, WatchProblem>): Reported[] {
  return [...all]
    .map(([part, problem]) => ({ part, ...problem }))
    .sort((a, b) => rank(a.part) - rank(b.part) || (a.part < b.part ? -1 : 1))
}

const same = (a: WatchProblem | undefined, b: WatchProblem) =>
  a !== undefined && a.key === b.key && a.severity === b.severity && JSON.stringify(a.params) === JSON.stringify(b.params)

/** The watchdog's state. */
export const useWatch = defineStore('watch', () => {
  const all = shallowRef<ReadonlyMap<string, WatchProblem>>(new Map())
  /** The sound is armed here: a hidden page that must ring is in use. The alarm sets it. */
  const armed = ref(false)
  /** The dialog to log in again is open. */
  const relogin = ref(false)

  /**
   * Says that a part has a problem, or with null that it has none. Parts: session, offline, feed, origin, map,
   * version, and `part:NAME` for a part of the server.
   */
  function report(part: string, problem: WatchProblem | null): void {
    if (problem ? same(all.value.get(part), problem) : !all.value.has(part)) return
    const next = new Map(all.value)
    if (problem) next.set(part, problem)
    else next.delete(part)
    all.value = next
  }

  const problems = computed(() => sorted(all.value))
  /** The page no longer does its work: it must not promise alarms, and an armed page must be loud. */
  const broken = computed(() => problems.value.some((p) => p.severity === 'broken'))
  /** Whether a new alarm has come cannot be known here: no sentence may say that there is none, or promise one. */
  const blind = computed(() => problems.value.some((p) => !besides.has(p.part) && (p.severity === 'broken' || p.part.startsWith('part:'))))
  const has = (part: string) => all.value.has(part)
  return { problems, broken, blind, armed, relogin, report, has }
})
