import { computed, type MaybeRefOrGetter, toValue } from 'vue'
import type { Alert } from '../api/types'
import { t, tx } from '../i18n'
import { measured } from '../lib/format'
import { useDevices } from '../stores/devices'

/** An alert's reading, threshold and instruction as they are written in the language shown. */
export function useAlertFacts(source: MaybeRefOrGetter<Alert>) {
  const devices = useDevices()
  const facts = computed(() => {
    void devices.revision
    const alert = toValue(source)
    const decimals = devices.types.get(alert.property)?.decimals
    const threshold = measured(alert.threshold, alert.symbol, decimals)
    return {
      reading: measured(alert.value, alert.symbol, decimals),
      threshold: alert.direction === 'below' ? t('command.alert.below', { v: threshold }) : t('command.alert.above', { v: threshold }),
      instruction: tx(devices.hazards.get(alert.hazard)?.instruction),
    }
  })
  return facts
}
