import { computed, onBeforeUnmount, shallowRef, watch } from 'vue'
import type { Alert } from '@/shared/api/types'
import { t } from '@/shared/i18n'
import { useNow } from '@/shared/time/clock'
import { relativeTime } from '@/shared/format/format'
import { changesBetween, type Change } from './handling'
import type { AlertEvent, EventFrame } from '@/shared/live/frames'
import { useLive } from '@/shared/live/live'
import { useSession } from '@/shared/session/session'

const shownAtMost = 4
const justMs = 60_000

type Told = Change & { n: number; at: number }

/**
 * What others changed on an alert since it was opened, or since the viewer's own last step: by the live events, which
 * say who it was, and after a gap by the difference of the versions.
 */
export function useMeanwhile(alert: () => Alert) {
  const live = useLive()
  const session = useSession()
  const now = useNow()
  const told = shallowRef<Told[]>([])
  let seen = alert()
  let n = 0

  function take(next: Alert, actor = '') {
    if (next.id !== seen.id || next.version <= seen.version) return
    const changes = changesBetween(seen, next, actor)
    seen = next
    const at = Date.parse(next.updated_at) || now.value
    told.value = [...told.value, ...changes.map((c) => ({ ...c, n: ++n, at }))].slice(-shownAtMost)
  }
  /** The viewer's own step: nothing to tell, and what was told has been seen. */
  function own(next: Alert) {
    if (next.id !== seen.id) return
    if (next.version > seen.version) seen = next
    told.value = []
  }
  /** The event of an own step may come before its answer: while it is on its way it tells nothing. */
  const sending = shallowRef(false)

  const stop = live.onEvent('alert.', (frame: EventFrame) => {
    const next = (frame.payload as AlertEvent | undefined)?.alert
    if (!next || frame.subject !== String(seen.id)) return
    if (sending.value && frame.actor === session.me?.user) {
      if (next.version > seen.version) seen = next
    } else take(next, frame.actor)
  })
  watch(() => [alert().id, alert().version] as const, ([id]) => {
    if (id === seen.id) {
      if (!sending.value) queueMicrotask(() => take(alert())) // after the event's listener, which knows who
      return
    }
    seen = alert()
    told.value = []
  })
  onBeforeUnmount(stop)

  const when = (at: number) => (now.value - at < justMs ? t('handling.meanwhile.just') : relativeTime(at, now.value))
  function who(c: { actor: string; name: string }): string {
    if (c.actor && c.actor === session.me?.user) return t('handling.meanwhile.yourself')
    return c.name && c.name !== c.actor ? `${c.name} ${c.actor}`.trim() : c.actor || t('handling.meanwhile.someone')
  }
  function words(c: Told): string {
    switch (c.what) {
      case 'rose':
      case 'fell':
        return t(`handling.meanwhile.${c.what}`, { from: t(`level.${c.from}`), to: t(`level.${c.to}`), when: when(c.at) })
      case 'assigned':
        return t('handling.meanwhile.assigned', { who: who(c), assignee: c.assignee, when: when(c.at) })
      case 'acknowledged':
      case 'resolved':
      case 'closed':
        return t(`handling.meanwhile.${c.what}`, { who: who(c), when: when(c.at) })
      default:
        return t(`handling.meanwhile.${c.what}`, { when: when(c.at) })
    }
  }
  const lines = computed(() => told.value.map((c) => ({ n: c.n, text: words(c) })))
  return { lines, sending, own }
}
