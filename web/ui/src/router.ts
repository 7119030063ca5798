import { createRouter, createWebHistory, type RouteRecordRaw } from 'vue-router'
import type { Permission } from '@/shared/api/types'
import type { MessageKey } from '@/shared/i18n'
import { base } from '@/shared/api/base'
import { usePrefs } from '@/shared/prefs/prefs'
import { useSession } from '@/shared/session/session'

declare module 'vue-router' {
  interface RouteMeta {
    /** The page's title in the tab. */
    key: MessageKey
    /** Open to whoever is not logged in. */
    open?: boolean
    needs?: Permission
    /** The menus of all pages offer it to whoever has the right that it needs. */
    menu?: true
  }
}

const routes: RouteRecordRaw[] = [
  { path: '/', name: 'command', component: () => import('@/features/map/CommandView.vue'), meta: { key: 'nav.command', needs: 'view' } },
  { path: '/login', name: 'login', component: () => import('@/features/accounts/LoginView.vue'), meta: { key: 'nav.login', open: true } },
  { path: '/m', name: 'mobile', component: () => import('@/features/phone/MobileView.vue'), meta: { key: 'nav.mobile', needs: 'view' } },
  { path: '/admin/accounts', name: 'accounts', component: () => import('@/features/accounts/AccountsView.vue'), meta: { key: 'nav.accounts', needs: 'accounts', menu: true } },
  { path: '/admin/failed-logins', name: 'failed-logins', component: () => import('@/features/accounts/FailedLoginsView.vue'), meta: { key: 'nav.failedLogins', needs: 'accounts', menu: true } },
  { path: '/admin/displays', name: 'displays', component: () => import('@/features/accounts/DisplaysView.vue'), meta: { key: 'nav.displays', needs: 'accounts', menu: true } },
  { path: '/display', name: 'display', component: () => import('@/features/accounts/DisplayView.vue'), meta: { key: 'nav.display', open: true } },
  { path: '/admin/rules', name: 'rules', component: () => import('@/features/rules/RulesView.vue'), meta: { key: 'nav.rules', needs: 'view', menu: true } },
  { path: '/admin/quarantine', name: 'quarantine', component: () => import('@/features/ingest/QuarantineView.vue'), meta: { key: 'nav.quarantine', needs: 'edit-data', menu: true } },
  { path: '/admin/ingest', name: 'ingest', component: () => import('@/features/ingest/IngestView.vue'), meta: { key: 'nav.ingest', needs: 'edit-data', menu: true } },
  { path: '/events', name: 'presence', component: () => import('@/features/devices/PresenceView.vue'), meta: { key: 'nav.presence', needs: 'view', menu: true } },
  { path: '/alerts', name: 'alerts', component: () => import('@/features/alerts/history/AlertsView.vue'), meta: { key: 'nav.alerts', needs: 'view', menu: true } },
  { path: '/silences', name: 'silences', component: () => import('@/features/alerts/silences/SilencesView.vue'), meta: { key: 'nav.silences', needs: 'view', menu: true } },
  { path: '/admin/layers', name: 'layers', component: () => import('@/features/layers/LayersView.vue'), meta: { key: 'nav.layers', needs: 'edit-data', menu: true } },
  { path: '/about', name: 'about', component: () => import('@/features/about/AboutView.vue'), meta: { key: 'nav.about', needs: 'view', menu: true } },
  { path: '/:rest(.*)*', name: 'nowhere', component: () => import('@/app/NowhereView.vue'), meta: { key: 'nav.nowhere', open: true } },
]

export const router = createRouter({ history: createWebHistory(base), routes })

/** The pages that the menus offer, in their order. */
export const menuPages = routes.flatMap((r) => (r.meta?.menu ? [{ to: r.path, key: r.meta.key, needs: r.meta.needs ?? ('view' as const) }] : []))

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
