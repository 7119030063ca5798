import { createRouter, createWebHistory, type RouteRecordRaw } from 'vue-router'
import { base } from '@/shared/api/base'
import { usePrefs } from '@/shared/prefs/prefs'
import { useSession } from '@/shared/session/session'

// What a page needs is said here alone: the layout refuses it, and the menus leave it out.
const pages: RouteRecordRaw[] = [
  { path: '/', name: 'command', component: () => import('@/features/map/CommandView.vue'), meta: { key: 'nav.command', needs: 'view', full: true, workspace: 'map' } },
  { path: '/m', name: 'mobile', component: () => import('@/features/phone/MobileView.vue'), meta: { key: 'nav.mobile', needs: 'view', full: true } },
  { path: '/admin/accounts', name: 'accounts', component: () => import('@/features/accounts/AccountList.vue'), meta: { key: 'nav.accounts', needs: 'accounts', menu: true } },
  { path: '/admin/failed-logins', name: 'failed-logins', component: () => import('@/features/accounts/FailedLoginList.vue'), meta: { key: 'nav.failedLogins', needs: 'accounts', menu: true } },
  { path: '/admin/displays', name: 'displays', component: () => import('@/features/accounts/DisplayList.vue'), meta: { key: 'nav.displays', needs: 'accounts', menu: true } },
  { path: '/admin/rules', name: 'rules', component: () => import('@/features/rules/RuleList.vue'), meta: { key: 'nav.rules', needs: 'view', menu: true } },
  { path: '/admin/quarantine', name: 'quarantine', component: () => import('@/features/ingest/QuarantineView.vue'), meta: { key: 'nav.quarantine', needs: 'edit-data', cityWide: true, menu: true } },
  { path: '/admin/ingest', name: 'ingest', component: () => import('@/features/ingest/IngestMonitor.vue'), meta: { key: 'nav.ingest', needs: 'edit-data', cityWide: true, wide: true, menu: true } },
  { path: '/events', name: 'presence', component: () => import('@/features/devices/PresenceTimeline.vue'), meta: { key: 'nav.presence', needs: 'view', menu: true } },
  { path: '/alerts', name: 'alerts', component: () => import('@/features/alerts/history/HistoryList.vue'), meta: { key: 'nav.alerts', needs: 'view', menu: true } },
  { path: '/silences', name: 'silences', component: () => import('@/features/alerts/silences/SilenceList.vue'), meta: { key: 'nav.silences', heading: 'silences.title', needs: 'view', menu: true } },
  { path: '/admin/layers', name: 'layers', component: () => import('@/features/layers/LayerHealthList.vue'), meta: { key: 'nav.layers', needs: 'edit-data', cityWide: true, menu: true } },
  { path: '/about', name: 'about', component: () => import('@/features/about/AboutSources.vue'), meta: { key: 'nav.about', heading: 'about.title', needs: 'view', menu: true } },
]

const routes: RouteRecordRaw[] = [
  { path: '/', component: () => import('@/app/PageLayout.vue'), children: pages },
  { path: '/login', name: 'login', component: () => import('@/features/accounts/LoginView.vue'), meta: { key: 'nav.login', open: true } },
  { path: '/display', name: 'display', component: () => import('@/features/accounts/DisplayView.vue'), meta: { key: 'nav.display', open: true } },
  { path: '/:rest(.*)*', name: 'nowhere', component: () => import('@/app/NowhereView.vue'), meta: { key: 'nav.nowhere', open: true } },
]

export const router = createRouter({ history: createWebHistory(base), routes })

router.beforeEach(async (to) => {
  if (to.meta.open) return true
  const session = useSession()
  try {
    await session.load()
  } catch {
    await session.restore()
    return true // the page itself says that the server is away, and retries
  }
  return session.me ? true : { name: 'login', query: { next: to.fullPath } }
})

// A link's language and theme hold for the page that it opens.
router.afterEach((to, _from, failure) => {
  if (!failure) usePrefs().takeLink(to.query)
})
