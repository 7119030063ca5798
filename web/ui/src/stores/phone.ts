import { defineStore } from 'pinia'
import { computed, ref, shallowReactive, shallowRef, watch } from 'vue'
import { ApiError } from '../api/client'
import * as api from '../api/endpoints'
import type { Alert, AlertDetail, Level } from '../api/types'
import { addMissed, asksForAck, inReplay, isNews, memoryKey, parseMemory, phoneOrder, type Missed, type PhoneMemory } from '../lib/phone'
import type { Position } from '../live/client'
import type { EventFrame, WelcomeFrame } from '../live/frames'
import { isActive, useAlerts, type AlertEvent } from './alerts'
import { useLive } from './live'
import { useSession } from './session'

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
  const live = useLive()
  const session = useSession()
  const memory = shallowRef<PhoneMemory>({ client: '', position: null, pending: [], armed: false })
  const missed = shallowRef<Missed[]>([])
  /** So long away that the server sent everything anew instead of what was missed. */
  const gap = ref(false)
  /** Alerts that wait for the whole screen; the first is on it and stays until it is dealt with. */
  const queue = ref<number[]>([])
  const chosen = ref<number | null>(null)
  const acks = shallowReactive(new Map<number, AckState>())
  /** Alerts that the server said are acknowledged, to this client, in this life. */
  const confirmed = shallowReactive(new Map<number, string>())
  const details = shallowReactive(new Map<number, AlertDetail>())
  const known = new Map<number, Level>()
  const stops: (() => void)[] = []
  let replay: { from: number; to: number } | null = null
  let retry: ReturnType<typeof setTimeout> | undefined

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
    else if (had.epoch) gap.value = true
  }

  function event(frame: EventFrame) {
    const payload = frame.payload as AlertEvent | undefined
    if (payload?.alert) {
      const id = payload.alert.id
      const alert = alerts.all.get(id) ?? payload.alert // the snapshot may know better than a replay
      const mine = frame.actor !== undefined && frame.actor === session.me?.user // no news to who did it
      if (!mine && inReplay(frame.seq, replay)) missed.value = addMissed(missed.value, frame)
      if (isNews(frame, alert, known.get(id)) && asks(alert)) show(id)
      known.set(id, alert.level)
      if (details.has(id)) void loadDetail(id)
    }
    queueMicrotask(savePosition) // the client moves its position when the event is taken
  }

  function show(id: number) {
    if (!queue.value.includes(id)) queue.value = [...queue.value, id]
    chosen.value = id
  }
  function dismiss(id: number) {
    queue.value = queue.value.filter((other) => other !== id)
  }

  const own = (id: number) => details.get(id)?.deliveries?.find((d) => d.division === session.me?.division)
  /** Whether the alert asks this viewer for an acknowledgement. */
  function asks(alert: Alert): boolean {
    return session.can('handle-alert') && !confirmed.has(alert.id) && asksForAck(alert, own(alert.id))
  }

  async function loadDetail(id: number): Promise<void> {
    try {
      const detail = await api.alert(id)
      alerts.put(detail.alert)
      details.set(id, detail)
    } catch {
      // The alert itself is on the page; its deliveries follow with the next event.
    }
  }

  async function acknowledge(id: number): Promise<void> {
    if (acks.get(id)?.step === 'sending') return
    acks.set(id, { step: 'sending' })
    if (!memory.value.pending.includes(id)) save({ pending: [...memory.value.pending, id] })
    try {
      const answer = await api.handleAlert(id, 'acknowledge', {}, { signal: AbortSignal.timeout(ackTimeoutMs) })
      alerts.put(answer.alert)
      confirmed.set(id, answer.alert.updated_at)
      acks.delete(id)
      dismiss(id)
      settle(id)
      void loadDetail(id)
    } catch (error) {
      if (isPassing(error)) {
        acks.set(id, { step: 'waiting' })
        retry ??= setTimeout(resend, ackRetryMs)
        return
      }
      if (error instanceof ApiError && error.status === 401) {
        acks.delete(id) // the tap waits in memory for the next login
        return
      }
      settle(id)
      acks.set(id, { step: 'refused', detail: error instanceof Error ? error.message : String(error) })
    }
  }
  function settle(id: number) {
    save({ pending: memory.value.pending.filter((other) => other !== id) })
  }
  function resend() {
    clearTimeout(retry)
    retry = undefined
    for (const id of memory.value.pending) if (acks.get(id)?.step !== 'refused') void acknowledge(id)
  }

  const list = computed(() => [...alerts.all.values()].sort(phoneOrder))
  const takeover = computed(() => {
    for (const id of queue.value) {
      const alert = alerts.all.get(id)
      if (alert && isActive(alert)) return alert
    }
    return null
  })
  /** How many more wait for the whole screen. */
  const waiting = computed(() => queue.value.filter((id) => {
    const alert = alerts.all.get(id)
    return alert && isActive(alert) && id !== takeover.value?.id
  }).length)
  /** The alert that the page is about: the chosen one, or the newest that is open. */
  const focus = computed(() => (chosen.value !== null ? alerts.all.get(chosen.value) : undefined) ?? list.value[0] ?? null)

  function start() {
    const user = session.me?.user ?? ''
    memory.value = parseMemory(localStorage.getItem(memoryKey(user)), newClientId)
    save()
    stops.push(live.onWelcome(welcomed), live.onAlertEvent(event))
    stops.push(watch(() => live.status, (status) => {
      if (status !== 'live') return
      for (const alert of alerts.all.values()) if (!known.has(alert.id)) known.set(alert.id, alert.level)
      savePosition()
      resend()
    }))
    stops.push(watch(() => live.health, savePosition))
    stops.push(watch(() => focus.value?.id, (id) => {
      if (id !== undefined && !details.has(id)) void loadDetail(id)
    }, { immediate: true }))
    window.addEventListener('online', resend)
    void live.start({ clientId: memory.value.client, from: memory.value.position ?? undefined })
  }

  function stop() {
    for (const f of stops.splice(0)) f()
    window.removeEventListener('online', resend)
    clearTimeout(retry)
    retry = undefined
    live.stop()
    queue.value = []
    chosen.value = null
    missed.value = []
    acks.clear()
    confirmed.clear()
    details.clear()
    known.clear()
    replay = null
    gap.value = false
  }

  function forgetMissed() {
    missed.value = []
    gap.value = false
  }

  return { memory, missed, gap, queue, chosen, acks, confirmed, list, takeover, waiting, focus, own, asks, save, show, dismiss, acknowledge, forgetMissed, start, stop }
})
