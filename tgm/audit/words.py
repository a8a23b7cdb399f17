"""The acts in words, for the screen. An act that is missing here is shown by its code."""

from flask_babel import lazy_gettext as _

ACTIONS = {
    "bot.added": _("Bot added"),
    "bot.deleted": _("Bot deleted"),
    "bot.disabled": _("Bot disabled"),
    "bot.enabled": _("Bot enabled"),
    "bot.renamed": _("Bot renamed"),
    "bot.token_replaced": _("Bot's token replaced"),
    "invitation.revoked": _("Invitation revoked"),
    "key.changed": _("API key changed"),
    "key.made": _("API key made"),
    "key.refused": _("API key refused"),
    "key.revoked": _("API key revoked"),
    "key.rotated": _("API key rotated"),
    "password.changed": _("Password changed"),
    "password.reset": _("Password reset"),
    "recovery_code.used": _("Recovery code used"),
    "recovery_codes.renewed": _("Recovery codes renewed"),
    "role.changed": _("Role changed"),
    "totp.disabled": _("Two-step sign-in turned off"),
    "totp.enabled": _("Two-step sign-in turned on"),
    "user.added": _("Person added"),
    "user.invited": _("Person invited"),
    "user.joined": _("Person joined"),
    "user.removed": _("Person removed"),
    "user.set_up": _("TGM set up"),
    "user.sign_in_refused": _("Sign-in refused"),
    "user.signed_in": _("Signed in"),
    "user.signed_out": _("Signed out"),
    "user.signed_out_everywhere": _("Signed out everywhere"),
}
