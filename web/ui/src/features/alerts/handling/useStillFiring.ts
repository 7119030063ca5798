import { computed, shallowRef, watch } from 'vue'
import * as api from '@/shared/api/endpoints'
import type { Alert, AlertAction } from '@/shared/api/types'
import { t } from '@/shared/i18n'
import { serverNow } from '@/shared/time/clock'
import { measured } from '@/shared/format/format'
import { percentBeyond, putsAway, questionOf, trendOf, type Question, type Trend } from './handling'
import { useDevices } from '@/features/devices/devices'

const trendOverMs = 30 * 60_000
const points = 60
/** The question of an alert whose danger is below its threshold: there a reading that gets worse goes down. */
const ofBelow: Partial<Record<Question, 'sinking' | 'low' | 'climbing'>> = { rising: 'sinking', steady: 'low', falling: 'climbing' }

/** The question before a step that puts away an alert which has not cleared: its reading, where it goes, how far over. */
export function useStillFiring(alert: () => Alert, action: () => AlertAction | null) {
  const devices = useDevices()
  const trend = shallowRef<Trend>('unknown')
  const asks = computed(() => {
    const a = action()
    return a !== null && putsAway(a) && alert().detection !== 'cleared'
  })

  async function look() {
    trend.value = 'unknown'
    const { datastream_id, direction, id } = alert()
    const to = serverNow()
    try {
      const chart = await api.streamChart(datastream_id, { from: new Date(to - trendOverMs).toISOString(), to: new Date(to).toISOString(), points })
      const readings = (chart.points ?? []).filter((p) => p.qc !== 4 && p.qc !== 9).map((p): [number, number] => [Date.parse(p.t), p.v]).filter((p) => !Number.isNaN(p[0]))
      if (alert().id === id) trend.value = trendOf(readings, direction)
    } catch {
      // The question is asked without a trend: it says only that the alert is still firing.
    }
  }
  watch([asks, () => alert().id, () => alert().value_at], ([ask]) => ask && void look(), { immediate: true })

  const question = computed(() => {
    void devices.revision
    const step = action()
    if (!asks.value || !step) return ''
    const a = alert()
    const latest = devices.all.get(a.device_id)?.datastreams?.find((s) => s.id === a.datastream_id)?.latest
    const value = latest && Date.parse(latest.t) > Date.parse(a.value_at) ? latest.v : a.value
    const kind = questionOf(a, value, trend.value)
    if (!kind) return ''
    const percent = percentBeyond(value, a.threshold, a.direction)
    const over = percent === null ? '' : t(a.direction === 'below' ? 'handling.ask.under' : 'handling.ask.over', { level: t(`level.${a.level}`), percent })
    return t(`handling.ask.${(a.direction === 'below' && ofBelow[kind]) || kind}`, {
      value: measured(value, a.symbol, devices.types.get(a.property)?.decimals),
      over,
      step: t(`alerts.act.${step}`),
    })
  })
  return { asks, question, trend }
}
