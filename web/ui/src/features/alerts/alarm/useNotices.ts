import { onBeforeUnmount, ref } from 'vue'
import { useRouter } from 'vue-router'
import type { Alert } from '@/shared/api/types'
import { t, tx } from '@/shared/i18n'
import { at } from '@/shared/api/base'
import { worst } from '@/shared/format/levels'
import { byUrgency, type News } from './machine'
import { useAlarm } from './store'

/** One line about what just happened: the worst of the news, and how many more came with it. */
export interface Toast {
  n: number
  alert: Alert
  why: News['why']
  more: number
}

const showMs = 10_000
const keep = 3

export const permission = (): NotificationPermission | 'unsupported' => (typeof Notification === 'undefined' ? 'unsupported' : Notification.permission)

/** Shows a notification of the system. Android allows it only through a service worker. */
async function show(title: string, options: NotificationOptions, opened: () => void): Promise<void> {
  try {
    const note = new Notification(title, options)
    note.onclick = () => {
      window.focus()
      note.close()
      opened()
    }
  } catch {
    const registration = await navigator.serviceWorker?.getRegistration()
    await registration?.showNotification(title, options)
  }
}

/** Toasts on the page, and notifications of the system while nobody looks at it. */
export function useNotices() {
  const alarm = useAlarm()
  const router = useRouter()
  const toasts = ref<Toast[]>([])
  const timers = new Set<ReturnType<typeof setTimeout>>()
  let n = 0

  function dismiss(id: number) {
    toasts.value = toasts.value.filter((toast) => toast.n !== id)
  }

  function notify(alert: Alert, more: number) {
    if (permission() !== 'granted' || (document.visibilityState === 'visible' && document.hasFocus())) return
    const options = {
      body: more ? t('alarm.notice.more', { headline: tx(alert.headline), n: more }) : tx(alert.headline),
      tag: 'onemap-alarm',
      renotify: true,
      requireInteraction: alert.level <= 2,
      icon: at('/icon.svg'),
    }
    const open = () => void router.push({ name: router.currentRoute.value.name === 'mobile' ? 'mobile' : 'command', query: { alert: String(alert.id) } })
    void show(t('alarm.notice.title', { level: t(`level.${alert.level}`) }), options, open).catch(() => (alarm.page.notify = 'unsupported'))
  }

  const stop = alarm.onNews((news) => {
    const sorted = news.map((item) => item).sort((a, b) => byUrgency(a.alert, b.alert))
    const first = sorted[0]!
    // What an earlier toast says of the same level and moment is one with this: fifteen reds are one line.
    const level = worst(sorted.map((item) => item.alert.level))
    const last = toasts.value.at(-1)
    const toast = { n: ++n, alert: first.alert, why: first.why, more: sorted.length - 1 }
    if (last && last.alert.level === level) toasts.value = [...toasts.value.slice(0, -1), { ...toast, more: toast.more + last.more + 1 }]
    else toasts.value = [...toasts.value, toast].slice(-keep)
    const timer = setTimeout(() => {
      timers.delete(timer)
      dismiss(toast.n)
    }, showMs)
    timers.add(timer)
    notify(first.alert, sorted.length - 1)
  })
  onBeforeUnmount(() => {
    stop()
    timers.forEach(clearTimeout)
  })

  async function ask() {
    alarm.page.notify = typeof Notification === 'undefined' ? 'unsupported' : await Notification.requestPermission()
  }
  alarm.page.notify = permission()
  return { toasts, dismiss, ask }
}
