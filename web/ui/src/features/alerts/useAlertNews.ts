import { computed } from 'vue'
import type { Alert, Handling } from '@/shared/api/types'
import { t } from '@/shared/i18n'
import { useNow } from '@/shared/time/clock'
import { measured, relativeTime, until } from '@/shared/format/format'
import { rank } from '@/shared/format/levels'
import { isActive, newsAt } from './alerts'
import { useDevices } from '@/features/devices/devices'
import { useSilences } from './silences/silences'

/** How long an alert counts as new after it rose: long enough to be seen by whoever looked elsewhere. */
const newMs = 120_000
const flashMs = 6_000
const justMs = 60_000

const stepOf: Partial<Record<Handling, 'acknowledge' | 'assign' | 'resolve' | 'close'>> = { acknowledged: 'acknowledge', assigned: 'assign', resolved: 'resolve', closed: 'close' }

/** What is new about an alert and what its row says beside its name: the last rise, why it is open again, its peak, its silence. */
export function useAlertNews(alert: () => Alert | undefined) {
  const now = useNow()
  const devices = useDevices()
  const silences = useSilences()

  const news = computed(() => {
    const a = alert()
    if (!a) return null
    const age = now.value - Date.parse(newsAt(a))
    const active = isActive(a)
    return { active, fresh: active && age < newMs, flashing: active && a.level === 1 && age < flashMs }
  })
  /** "升级为红色 · 刚刚", "新", "数据恢复 · 3 分钟前"; '' when it is no longer news. */
  const badge = computed(() => {
    const a = alert()
    if (!a || !news.value?.fresh) return ''
    if (a.risen_from === 0) return t('handling.row.began')
    const age = now.value - Date.parse(a.risen_at)
    const when = age < justMs ? t('handling.meanwhile.just') : relativeTime(a.risen_at, now.value)
    return rank(a.level) < rank(a.risen_from) ? t('handling.row.risen', { level: t(`level.${a.level}`), when }) : t('handling.row.back', { when })
  })
  /** "蓝色时已确认，红色未确认": handled before it became what it is. */
  const reopened = computed(() => {
    const a = alert()
    const step = a?.reopened && stepOf[a.reopened.from]
    if (!a?.reopened || !step || a.handling !== 'new') return ''
    const said = t(`alerts.handling.${a.reopened.from}`)
    return a.reopened.why === 'data' || rank(a.reopened.level) <= rank(a.level)
      ? t('handling.row.reopenedData', { step: said })
      : t('handling.row.reopenedRise', { step: said, before: t(`level.${a.reopened.level}`), now: t(`level.${a.level}`) })
  })
  const peak = computed(() => {
    const a = alert()
    return a ? measured(a.peak_value, a.symbol, devices.types.get(a.property)?.decimals) : ''
  })
  const silence = computed(() => {
    const a = alert()
    const s = a && isActive(a) ? silences.of(a) : null
    if (!s) return null
    const mark = t(s.kind === 'maintenance' ? 'handling.row.maintenance' : 'handling.row.silenced')
    return { id: s.id, kind: s.kind, mark, title: t('handling.row.silencedUntil', { mark, until: until(s.ends, now.value), reason: s.reason }), silence: s }
  })
  return { news, badge, reopened, peak, silence }
}
