import { computed, type MaybeRefOrGetter, toValue } from 'vue'
import type { Alert } from '@/shared/api/types'
import { t, tx } from '@/shared/i18n'
import { measured } from '@/shared/format/format'
import { useDevices } from '@/features/devices/devices'

/**
 * An alert's readings, threshold and instruction as they are written in the language shown: the
 * reading that its newest message is about and, when there is a later one, the newest.
 */
export function useAlertFacts(source: MaybeRefOrGetter<Alert | undefined>) {
  const devices = useDevices()
  return computed(() => {
    void devices.revision
    const alert = toValue(source)
    if (!alert) return { reading: '', latest: null, threshold: '', instruction: '', stream: undefined }
    const decimals = devices.types.get(alert.property)?.decimals
    const threshold = measured(alert.threshold, alert.symbol, decimals)
    const stream = devices.all.get(alert.device_id)?.datastreams?.find((s) => s.id === alert.datastream_id)
    const newest = stream?.latest && Date.parse(stream.latest.t) > Date.parse(alert.value_at) ? stream.latest : null
    return {
      reading: measured(alert.value, alert.symbol, decimals),
      latest: newest && { text: measured(newest.v, alert.symbol, decimals), at: newest.t },
      threshold: alert.direction === 'below' ? t('alerts.detail.below', { v: threshold }) : t('alerts.detail.above', { v: threshold }),
      instruction: tx(devices.hazards.get(alert.hazard)?.instruction),
      stream,
    }
  })
}
