import { defineStore } from 'pinia'
import { computed, reactive, shallowReactive, shallowRef, watch } from 'vue'
import { ApiError } from '@/shared/api/client'
import * as api from '@/shared/api/endpoints'
import type { Alert, Silence } from '@/shared/api/types'
import { t } from '@/shared/i18n'
import { serverNow } from '@/shared/time/clock'
import { failureReason, isRisen } from '@/shared/api/refusal'
import { useWatch } from '@/shared/watch/watch'
import { answered, useAlerts } from '../alerts'
import { useLive } from '@/shared/live/live'
import { useSession } from '@/shared/session/session'
import { useSilences } from '../silences/silences'
import { advance, emptyMemory, forget, isUnanswered, recall, snooze, type AlarmState, type Memory, type News, type PageState, type Tone } from './machine'
import { silenceOf } from '../silences/inforce'
import { startTicker } from './ticker'

const nothing: AlarmState = { front: null, unanswered: [], snoozed: [], silenced: new Set(), level: 0, counts: [0, 0, 0, 0, 0], news: [], voice: 'none', ring: null, next: null, cannot: [] }

/** Where an acknowledgement from the bar is. There is no "done": done is what the server's alert says. */
export type BarAck = { step: 'sending' } | { step: 'refused'; detail: string }

const ackTimeoutMs = 15_000

const same = (a: readonly unknown[], b: readonly unknown[]) => a.length === b.length && a.every((x, i) => x === b[i])

/** The next state, or the last one where a reader would see no difference: nothing is drawn again for the clock. */
function keepSame(next: AlarmState, last: AlarmState): AlarmState {
  const kept = {
    ...next,
    unanswered: same(next.unanswered, last.unanswered) ? last.unanswered : next.unanswered,
    snoozed: same(next.snoozed, last.snoozed) ? last.snoozed : next.snoozed,
    silenced: same([...next.silenced], [...last.silenced]) ? last.silenced : next.silenced,
    counts: same(next.counts, last.counts) ? last.counts : next.counts,
    cannot: same(next.cannot, last.cannot) ? last.cannot : next.cannot,
  }
  const parts = ['front', 'unanswered', 'snoozed', 'silenced', 'level', 'counts', 'voice', 'cannot'] as const
  return parts.every((part) => kept[part] === last[part]) ? last : kept
}

/** Why an acknowledgement was not taken, in the reader's words. Not reached is not refused. */
export function refusalText(error: unknown): string {
  if (!(error instanceof ApiError) || error.status === 0) return t('alarm.ack.away')
  return t('alarm.ack.refused', { why: failureReason(error) })
}

/** The alarm of this page: one for all routes. The shell starts it. */
export const useAlarm = defineStore('alarm', () => {
  const alerts = useAlerts()
  const live = useLive()
  const session = useSession()
  const silences = useSilences()
  const health = useWatch()
  /** What the voice and the browser say of this page; the shell keeps it true. */
  const page = reactive<Omit<PageState, 'broken'>>({ sound: 'off', visible: true, throttled: false, notify: 'default', awake: 'unasked' })
  const memory = shallowRef<Memory>(emptyMemory)
  const state = shallowRef<AlarmState>(nothing)
  const acks = shallowReactive(new Map<number, BarAck>())
  const tickListeners = new Set<() => void>()
  let sound: { test(): void; mute(): void } = { test: () => undefined, mute: () => undefined }
  const ringListeners = new Set<(tone: Tone) => void>()
  const newsListeners = new Set<(news: News[]) => void>()
  const unit = computed(() => session.me?.division ?? '')

  function step() {
    const situation = {
      alerts: [...alerts.all.values()],
      loaded: alerts.loaded && session.me !== null,
      unit: unit.value,
      silences: silences.items,
      now: serverNow(),
      clock: performance.now(),
      page: { ...page, broken: health.broken },
    }
    const next = advance(memory.value, situation)
    memory.value = next.memory
    state.value = keepSame(next.state, state.value)
    // Somebody else has answered: should the alert rise later, the refusal is not of that rise.
    for (const [id, ack] of acks) if (ack.step === 'refused' && !next.memory.waiting.has(id)) acks.delete(id)
    if (next.state.news.length) newsListeners.forEach((f) => f(next.state.news))
    if (next.state.ring) ringListeners.forEach((f) => f(next.state.ring!))
  }

  /** Begins to watch. Returns the way to stop. */
  function start(): () => void {
    const stops = [
      watch([() => [...alerts.all.values()], () => alerts.loaded, () => silences.items, () => session.me, () => ({ ...page }), () => health.broken], step, { immediate: true }),
      live.on('welcome', (frame, had) => {
        if (!frame.recovered && had.epoch) memory.value = forget(memory.value)
      }),
      startTicker(() => {
        tickListeners.forEach((f) => f())
        step()
      }),
    ]
    return () => stops.forEach((stop) => stop())
  }

  /** Snoozes these alerts for two minutes: no ring, not in front. Ends with the next beginning or rise of any alert. */
  function snoozeAlerts(which: readonly Alert[] = state.value.unanswered) {
    memory.value = snooze(memory.value, which, performance.now(), state.value.voice === 'broken')
    step()
  }

  /** After the refusal of a step on alerts that had risen: takes them as they are now, rings, and puts them in front. */
  async function askAgain(...ids: number[]): Promise<void> {
    for (const id of ids) {
      try {
        alerts.put(answered((await api.alert(id)).alert))
      } catch {
        // The event of the rise is on its way, too.
      }
    }
    memory.value = recall(memory.value, ids)
    step()
  }

  /** Acknowledges what the bar says, at the level that it says. */
  async function acknowledge(alert: Alert): Promise<void> {
    if (acks.get(alert.id)?.step === 'sending') return
    acks.set(alert.id, { step: 'sending' })
    try {
      const answer = await api.handleAlert(alert.id, 'acknowledge', { level: alert.level }, { signal: AbortSignal.timeout(ackTimeoutMs) })
      alerts.put(answered(answer.alert))
      acks.delete(alert.id)
    } catch (error) {
      acks.set(alert.id, { step: 'refused', detail: refusalText(error) })
      if (isRisen(error)) await askAgain(alert.id)
    }
  }

  /** Whether the alert waits for this unit's answer, snoozed or not. Reactive. */
  function waits(alert: Alert): boolean {
    void state.value
    return isUnanswered(alert, { unit: unit.value, silences: silences.items, now: serverNow() })
  }
  /** Whether the alert waits for this unit's answer. Reactive. */
  function unanswered(alert: Alert): boolean {
    void state.value
    return isUnanswered(alert, { unit: unit.value, silences: silences.items, now: serverNow(), snoozed: memory.value.snoozes })
  }
  /** The silence that keeps the alert quiet now. */
  const silencing = (alert: Alert): Silence | null => silenceOf(silences.items, alert, serverNow())

  function onRing(f: (tone: Tone) => void): () => void {
    ringListeners.add(f)
    return () => ringListeners.delete(f)
  }
  /** Tells of each tick of the alarm's clock, about once a second, in a hidden tab too. */
  function onTick(f: () => void): () => void {
    tickListeners.add(f)
    return () => tickListeners.delete(f)
  }
  /** Tells what began, rose, came back or was found open. */
  function onNews(f: (news: News[]) => void): () => void {
    newsListeners.add(f)
    return () => newsListeners.delete(f)
  }

  return {
    page,
    unit,
    front: computed(() => state.value.front),
    unanswered: computed(() => state.value.unanswered),
    snoozed: computed(() => state.value.snoozed),
    silenced: computed(() => state.value.silenced),
    level: computed(() => state.value.level),
    counts: computed(() => state.value.counts),
    voice: computed(() => state.value.voice),
    cannot: computed(() => state.value.cannot),
    acks,
    isUnanswered: unanswered,
    waits,
    silencing,
    snooze: snoozeAlerts,
    acknowledge,
    askAgain,
    /** The voice says how its sound is tested and muted. */
    useSound: (ports: typeof sound) => (sound = ports),
    testSound: () => sound.test(),
    mute: () => sound.mute(),
    onRing,
    onTick,
    onNews,
    start,
    step,
  }
})
