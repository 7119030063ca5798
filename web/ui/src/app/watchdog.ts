// What the shell itself sees of the page's health: the network, the live feed, the parts of the server.

import { useEventListener } from '@vueuse/core'
import { onBeforeUnmount, ref, watch } from 'vue'
import type { Health } from '@/shared/api/types'
import { t, type MessageKey } from '@/shared/i18n'
import { serverNow, useNow } from '@/shared/time/clock'
import { relativeTime } from '@/shared/format/format'
import { ApiError } from '@/shared/api/client'
import * as api from '@/shared/api/endpoints'
import { at } from '@/shared/api/base'
import { sentence, stateText } from '@/shared/api/faults'
import { useLive } from '@/shared/live/live'
import { usePicture } from './usepicture'
import { reload, useWatch, type WatchProblem } from '@/shared/watch/watch'

const askEvery = 10 // refused connections: about half a minute
// Refused connections after which the server is asked why. The first may be one to a server that is just starting.
const askAt = new Set([2, 4])
const lostAfter = 4 // refused connections: a server that has just come back takes the next one

const knownParts = ['database', 'broker', 'rules', 'layers', 'push', 'health']

function partName(part: string): string {
  return knownParts.includes(part) ? t(`part.${part}` as MessageKey) : t('part.other', { name: part })
}

function partProblem(p: Health): WatchProblem {
  if (p.part === 'certificate') return { key: 'watch.certificate', severity: 'warning' }
  return { key: 'watch.part', severity: 'warning', params: { part: partName(p.part), detail: stateText(p) || t('watch.noDetail') } }
}

/** What the feed has to say, null while it can be trusted or no page has asked for it. */
export function feedProblem(live: Pick<ReturnType<typeof useLive>, 'active' | 'untrusted' | 'status' | 'reason' | 'since'>, now: number): WatchProblem | null {
  if (!live.active || !live.untrusted) return null
  if (live.status === 'ended') return live.reason === 'session' ? null : { key: 'watch.protocol', severity: 'broken', action: reload }
  if (live.status === 'stale') return { key: 'watch.stale', severity: 'broken', params: { age: relativeTime(live.since, now) } }
  return { key: 'watch.connecting', severity: 'broken' }
}

/** Whether to ask why, at so many refused connections in a row: the reason does not change with every try. */
export const mustAsk = (refused: number) => askAt.has(refused) || refused % askEvery === 0

/**
 * Why the live connection is refused, after so many refusals in a row; null when it is not, or nobody can tell. The browser
 * does not say: the page asks by a request. What the server would let in and still does not arrive is lost on the way.
 */
export async function refusal(refused: number, ask: () => Promise<void>): Promise<WatchProblem | null> {
  try {
    await ask()
    return refused < lostAfter ? null : { key: 'watch.upgrade', severity: 'broken', params: { path: at('/ws') } }
  } catch (error) {
    if (!(error instanceof ApiError) || ![403, 429, 503].includes(error.status)) return null
    const { code, params } = error.problem
    const reason = code && sentence({ code, params })
    return reason ? { key: 'watch.origin', severity: 'broken', params: { reason } } : null
  }
}

/** Reports what the browser and the live feed say. Called once, by WatchHost. */
export function useWatchdog(): void {
  const state = useWatch()
  const live = useLive()
  const now = useNow()
  const offlineSince = ref(navigator.onLine ? 0 : serverNow())
  useEventListener(window, ['online', 'offline'], () => (offlineSince.value = navigator.onLine ? 0 : serverNow()))

  watch(
    [offlineSince, now],
    () => state.report('offline', offlineSince.value ? { key: 'watch.offline', severity: 'broken', params: { age: relativeTime(offlineSince.value, now.value) } } : null),
    { immediate: true },
  )
  // Off line, the feed's own line would say the same again.
  watch([() => live.active, () => live.untrusted, () => live.status, () => live.reason, offlineSince, now], () => {
    state.report('feed', offlineSince.value ? null : feedProblem(live, now.value))
  })
  watch(
    () => live.badParts,
    (parts: Health[], before: Health[] = []) => {
      for (const p of before) if (!parts.some((q) => q.part === p.part)) state.report(`part:${p.part}`, null)
      for (const p of parts) state.report(`part:${p.part}`, partProblem(p))
    },
  )
  let refused = 0
  const offRefused = live.on('refused', async () => {
    if (mustAsk(++refused)) state.report('origin', await refusal(refused, () => api.checkPush(location.origin)))
  })
  const offWelcome = live.on('welcome', () => {
    refused = 0
    state.report('origin', null)
  })
  usePicture()
  onBeforeUnmount(() => {
    offRefused()
    offWelcome()
  })
}
