import { onBeforeUnmount, watch } from 'vue'
import { useRoute } from 'vue-router'
import { useAlerts } from '@/features/alerts/alerts'
import { useDevices } from '@/features/devices/devices'
import { feedStores } from './feed'
import { useLive } from '@/shared/live/live'
import { usePhone } from '@/features/phone/phone'
import { useSession } from '@/shared/session/session'
import { useSilences } from '@/features/alerts/silences/silences'

/**
 * The one live connection of all pages, from the login to the log-out. The phone page's keeps its name and its place
 * in the log over reloads, so that what was missed is told.
 */
export function useConnection(): void {
  feedStores()
  const route = useRoute()
  const session = useSession()
  const live = useLive()
  const phone = usePhone()
  const stores = [useAlerts(), useDevices(), useSilences()]
  let onPhone = false

  function leavePhone() {
    if (onPhone) phone.stop()
    onPhone = false
  }

  function begin() {
    const mobile = route.name === 'mobile'
    if (!mobile) leavePhone()
    else if (!onPhone) {
      onPhone = true
      const as = phone.start()
      if (live.name !== as.clientId) {
        live.stop()
        void live.start(as)
      }
      return
    }
    if (!live.active) void live.start()
  }

  watch(
    [() => session.me?.user, () => route.name],
    ([user, name], [before]) => {
      if (name === undefined) return
      if (user) return begin()
      leavePhone()
      live.stop()
      // Nothing of one person is shown to the next.
      if (before) stores.forEach((store) => store.forget())
    },
    { immediate: true },
  )
  onBeforeUnmount(() => {
    leavePhone()
    live.stop()
  })
}
