import { useTimeoutFn } from '@vueuse/core'
import { defineStore } from 'pinia'
import { computed, ref, shallowReactive, shallowRef } from 'vue'
import { inForce, silenceOf } from './inforce'
import * as api from '@/shared/api/endpoints'
import type { Alert, Device, Silence } from '@/shared/api/types'
import { useNow } from '@/shared/time/clock'
import { rank } from '@/shared/format/levels'
import type { EventFrame, SilenceEvent } from '@/shared/live/frames'

const retryMs = 15_000

/** A silence that is over covers nothing any more. now: milliseconds of the server's clock. */
export const isOver = (s: Silence, now: number) => s.ended_at !== null || Date.parse(s.ends) <= now

/**
 * The silences of the scope that are in force or will be. While they cannot be fetched those known stay and it is
 * tried again: a silence that is not known of costs a ring, not an alarm.
 */
export const useSilences = defineStore('silences', () => {
  const all = shallowReactive(new Map<number, Silence>())
  const loaded = ref(false)
  const error = shallowRef<unknown>(null)
  const now = useNow()
  const { start: retry, stop: cancel } = useTimeoutFn(refresh, retryMs, { immediate: false })
  let asked = 0
  /** What events told since the snapshot on its way was asked for: it may not hold them. */
  let told: Silence[] = []

  function put(s: Silence) {
    all.set(s.id, s)
  }
  async function refresh(): Promise<void> {
    cancel()
    const mine = ++asked
    told = []
    try {
      const items = (await api.silences({ current: true })).items ?? []
      if (mine !== asked) return
      all.clear()
      items.forEach(put)
      told.forEach(put)
      loaded.value = true
      error.value = null
    } catch (cause) {
      if (mine !== asked) return
      error.value = cause
      retry()
    }
  }
  function takeEvent(frame: EventFrame) {
    const silence = (frame.payload as SilenceEvent | undefined)?.silence
    if (!silence) return
    told.push(silence)
    put(silence)
  }

  /** Another person uses the page: nothing stays. */
  function forget() {
    cancel()
    asked++
    all.clear()
    loaded.value = false
    error.value = null
  }

  const items = computed(() => [...all.values()])
  /** Those in force now. */
  const current = computed(() => items.value.filter((s) => inForce(s, now.value)))
  /** The silence that keeps an alert quiet now; null: none does. */
  const of = (alert: Pick<Alert, 'device_id' | 'property' | 'division' | 'level'>) => silenceOf(current.value, alert, now.value)
  /** What is in force for some of a device's datastreams, the one that covers the worst level first. */
  const ofDevice = (device: Pick<Device, 'id' | 'division' | 'datastreams'>): Silence[] =>
    current.value
      .filter(
        (s) =>
          (s.device_id || s.type || s.division) &&
          (!s.device_id || s.device_id === device.id) &&
          (!s.type || (device.datastreams ?? []).some((d) => d.type === s.type)) &&
          device.division.startsWith(s.division),
      )
      .sort((a, b) => rank(a.level) - rank(b.level) || Date.parse(b.ends) - Date.parse(a.ends))

  return { all, items, current, loaded, error, put, refresh, takeEvent, forget, of, ofDevice }
})
