import { watch } from 'vue'
import { useRoute } from 'vue-router'
import { useAlarm } from '@/features/alerts/alarm/store'
import { usePhone } from '@/features/phone/phone'
import { useLive } from '@/shared/live/live'
import { useUi } from '@/shared/workspace/ui'

/** Tells the server whether this page would be heard, which the city sees, and which alert it has open, which people see. */
export function usePageStatus(): void {
  const alarm = useAlarm()
  const live = useLive()
  const phone = usePhone()
  const route = useRoute()
  const ui = useUi()
  watch(
    () => ({
      sound: alarm.page.sound === 'failed' ? ('off' as const) : alarm.page.sound,
      visible: alarm.page.visible,
      alert: route.name === 'command' ? (ui.alertId ?? 0) : route.name === 'mobile' ? (phone.focus?.id ?? 0) : 0,
      acting: route.name === 'command' && ui.acting,
    }),
    live.say,
    { immediate: true },
  )
}
