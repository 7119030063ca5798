import { useEventListener, useTimeoutFn } from '@vueuse/core'
import { defineStore } from 'pinia'
import { computed, ref, shallowReactive, shallowRef, watch } from 'vue'
import { useAlarm } from '@/features/alerts/alarm/store'
import { confirmedBy } from '@/features/alerts/alarm/machine'
import { ApiError } from '@/shared/api/client'
import * as api from '@/shared/api/endpoints'
import type { Alert, AlertDetail, Level } from '@/shared/api/types'
import { addMissed, asksForAck, inReplay, memoryKey, parseMemory, phoneOrder, type Missed, type PhoneMemory } from './memory'
import { failureReason, isRisen } from '@/shared/api/refusal'
import type { Position } from '@/shared/live/client'
import type { AlertEvent, EventFrame, WelcomeFrame } from '@/shared/live/frames'
import { answered, useAlerts } from '@/features/alerts/alerts'
import { useLive, type LiveStart } from '@/shared/live/live'
import { useSession } from '@/shared/session/session'

/** Where a tapped acknowledgement is. There is no "done": done is what the server's alert says. */
export type AckState = { step: 'sending' } | { step: 'waiting' } | { step: 'refused'; detail: string }

const ackTimeoutMs = 15_000
const ackRetryMs = 5_000

function newClientId(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, '0')).join('')
}

/** Whether trying again later may help: nobody answered, or the server was not able to. */
function isPassing(error: unknown): boolean {
  return error instanceof ApiError && (error.status === 0 || error.status === 429 || error.status >= 500)
}

/** The county responder's page: what needs a thumb, what was missed, and taps that are on their way. */
export const usePhone = defineStore('phone', () => {
  const alerts = useAlerts()
  const alarm = useAlarm()
  const live = useLive()
  const session = useSession()
  const memory = shallowRef<PhoneMemory>({ client: '', position: null, pending: [] })
  const missed = shallowRef<Missed[]>([])
  /** So long away that the server sent everything anew instead of what was missed. */
  const gap = ref(false)
  const chosen = ref<number | null>(null)
  const acks = shallowReactive(new Map<number, AckState>())
  /** Alerts that the server said are acknowledged, to this client, in this life. */
  const confirmed = shallowReactive(new Map<number, string>())
  const details = shallowReactive(new Map<number, AlertDetail>())
  const stops: (() => void)[] = []
  let replay: { from: number; to: number } | null = null
  const retry = useTimeoutFn(resend, ackRetryMs, { immediate: false })

  function save(change: Partial<PhoneMemory> = {}) {
    memory.value = { ...memory.value, ...change }
    const user = session.me?.user
    if (user) localStorage.setItem(memoryKey(user), JSON.stringify(memory.value))
  }
  function savePosition() {
    const position = live.position()
    if (position.epoch) save({ position })
  }

  function welcomed(frame: WelcomeFrame, had: Position) {
    replay = null
    if (frame.recovered) replay = { from: had.seq, to: frame.head }
    else if (had.epoch) {
      gap.value = true
      details.clear() // of a past that the server may not have
      confirmed.clear()
    }
  }

  function event(frame: EventFrame) {
    const payload = frame.payload as AlertEvent | undefined
    if (payload?.alert) {
      const id = payload.alert.id
      const mine = frame.actor !== undefined && frame.actor === session.me?.user // no news to who did it
      if (!mine && inReplay(frame.seq, replay)) missed.value = addMissed(missed.value, frame)
      if (details.has(id)) void loadDetail(id)
      // Somebody else has answered: should the alert rise later, the refusal is not of that rise.
      if (acks.get(id)?.step === 'refused' && !asks(payload.alert)) acks.delete(id)
    }
    queueMicrotask(savePosition) // the client moves its position when the event is taken
  }

  const own = (id: number) => details.get(id)?.deliveries?.find((d) => d.division === session.me?.division)
  /** Whether the alert asks this viewer for an acknowledgement at the level that it has. */
  const asks = (alert: Alert) => session.can('acknowledge') && asksForAck(alert, alarm.unit)
  /** The server said that this client's acknowledgement is in, and it still holds. */
  const done = (alert: Alert) => confirmed.has(alert.id) && confirmedBy(alert, alarm.unit)

  async function loadDetail(id: number): Promise<void> {
    try {
      const detail = await api.alert(id)
      alerts.put(answered(detail.alert))
      details.set(id, detail)
    } catch {
      // The alert itself is on the page; its deliveries follow with the next event.
    }
  }

  /** Sends a tap. level is what the screen said: the server refuses it for an alert that has risen since. */
  async function acknowledge(id: number, level: Level): Promise<void> {
    if (acks.get(id)?.step === 'sending') return
    acks.set(id, { step: 'sending' })
    save({ pending: [...memory.value.pending.filter((tap) => tap.id !== id), { id, level }] })
    try {
      const answer = await api.handleAlert(id, 'acknowledge', level ? { level } : {}, { signal: AbortSignal.timeout(ackTimeoutMs) })
      alerts.put(answered(answer.alert))
      confirmed.set(id, answer.alert.updated_at)
      acks.delete(id)
      settle(id)
      void loadDetail(id)
    } catch (error) {
      if (isPassing(error)) {
        acks.set(id, { step: 'waiting' })
        if (!retry.isPending.value) retry.start()
        return
      }
      if (error instanceof ApiError && error.status === 401) {
        acks.delete(id) // the tap waits in memory for the next login
        return
      }
      settle(id)
      acks.set(id, { step: 'refused', detail: failureReason(error) })
      if (isRisen(error)) await alarm.askAgain(id)
    }
  }
  function settle(id: number) {
    save({ pending: memory.value.pending.filter((tap) => tap.id !== id) })
  }
  function resend() {
    retry.stop()
    for (const tap of memory.value.pending) {
      if (acks.get(tap.id)?.step === 'refused') continue
      // Of an alert that has risen since, the server refuses it, and it is asked for again.
      void acknowledge(tap.id, tap.level)
    }
  }

  const list = computed(() => [...alerts.all.values()].sort(phoneOrder(alarm.waits)))
  const takeover = computed(() => alarm.front)
  /** How many more wait for the whole screen. */
  const waiting = computed(() => Math.max(0, alarm.unanswered.length - 1))
  /** The alert that the page is about: the chosen one, or the first of the list. */
  const focus = computed(() => (chosen.value !== null ? alerts.all.get(chosen.value) : undefined) ?? list.value[0] ?? null)

  function dismiss(alert: Alert) {
    chosen.value = alert.id
    alarm.snooze([alert])
  }

  /** Begins to watch, and says how the connection of this phone begins. */
  function start(): LiveStart {
    const user = session.me?.user ?? ''
    memory.value = parseMemory(localStorage.getItem(memoryKey(user)), newClientId)
    save()
    stops.push(live.on('welcome', welcomed), live.onEvent('alert.', event))
    stops.push(watch(() => live.status, (status) => {
      if (status !== 'live') return
      savePosition()
      resend()
    }, { immediate: true }))
    stops.push(watch(() => live.health, savePosition))
    stops.push(watch(() => alarm.front?.id, (id) => {
      if (id !== undefined) chosen.value = id
    }, { immediate: true }))
    stops.push(watch(() => focus.value?.id, (id) => {
      if (id !== undefined && !details.has(id)) void loadDetail(id)
    }, { immediate: true }))
    stops.push(useEventListener(window, 'online', resend))
    return { clientId: memory.value.client, from: memory.value.position ?? undefined }
  }

  function stop() {
    for (const f of stops.splice(0)) f()
    retry.stop()
    chosen.value = null
    missed.value = []
    acks.clear()
    confirmed.clear()
    details.clear()
    replay = null
    gap.value = false
  }

  function forgetMissed() {
    missed.value = []
    gap.value = false
  }

  return { memory, missed, gap, chosen, acks, confirmed, details, list, takeover, waiting, focus, own, asks, done, save, dismiss, acknowledge, forgetMissed, start, stop }
})
