import { computed } from 'vue'
import type { Alert } from '@/shared/api/types'
import { t, tx } from '@/shared/i18n'
import { namedLevel } from './alerts'
import { useDivisions } from '@/shared/divisions/divisions'

/** An alert in one short line: where, what, how bad (at its worst, once it is over). The headline of its CAP message is longer. */
export function useAlertTitle(alert: () => Alert | undefined) {
  const divisions = useDivisions()
  return computed(() => {
    const a = alert()
    if (!a) return ''
    return t('alerts.list.item', {
      division: divisions.name(a.division),
      hazard: tx(a.hazard_name),
      level: t(`level.${namedLevel(a)}`),
    }).trim()
  })
}
