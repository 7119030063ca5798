import { useIntervalFn } from '@vueuse/core'
import { onBeforeUnmount, shallowRef, toValue, watch, type MaybeRefOrGetter } from 'vue'
import * as api from '@/shared/api/endpoints'
import type { AlertDetail, Observation } from '@/shared/api/types'
import { serverNow } from '@/shared/time/clock'
import { useLive } from '@/shared/live/live'

const pollMs = 5000 // receipts and connections change without an event of the alert
const windowMs = 30 * 60_000

/** What is known of an alert beyond itself, kept fresh: who was told, and its readings of the last half hour. */
export function useAlertDetail(id: MaybeRefOrGetter<number>) {
  const live = useLive()
  const detail = shallowRef<AlertDetail | null>(null)
  const points = shallowRef<Observation[]>([])
  /** Whether the newest attempt to fetch it failed. */
  const failed = shallowRef(false)

  async function load() {
    const wanted = toValue(id)
    try {
      const next = await api.alert(wanted)
      const from = new Date(serverNow() - windowMs).toISOString()
      const chart = await api.streamChart(next.alert.datastream_id, { from, points: 60 })
      if (wanted !== toValue(id)) return
      detail.value = next
      points.value = chart.points ?? []
      failed.value = false
    } catch {
      if (wanted === toValue(id)) failed.value = true
    }
  }

  useIntervalFn(load, pollMs)
  const stop = live.onEvent('alert.', (frame) => frame.subject === String(toValue(id)) && void load())
  watch(() => toValue(id), () => {
    detail.value = null
    points.value = []
    void load()
  }, { immediate: true })
  onBeforeUnmount(stop)
  return { detail, points, failed }
}
