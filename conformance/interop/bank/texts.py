"""What problem documents say, in English and Japanese (HDR-05): a title of each token, and what the remedy asks for."""

TITLES = {
    "malformed": ("The request is not well-formed.", "要求の形式に誤りがあります。"),
    "unsupportedMediaType": ("This media type is not accepted.", "この形式のデータは受け付けておりません。"),
    "payloadTooLarge": ("The request is too large.", "要求が大きすぎます。"),
    "methodNotAllowed": ("This method is not accepted here.", "この操作は受け付けておりません。"),
    "misdirected": ("The request was meant for another host.", "宛先の異なる要求です。"),
    "notFound": ("There is no such thing here.", "該当するものがありません。"),
    "badNonce": ("The nonce was used before or is too old.", "要求の番号が使用済み、または期限切れです。"),
    "badSignature": ("The signature does not verify.", "署名を確認できません。"),
    "badSignatureAlgorithm": ("This signature algorithm is not accepted.", "この署名方式はご利用いただけません。"),
    "badPublicKey": ("This public key is not accepted.", "この公開鍵はご利用いただけません。"),
    "typeMismatch": ("The request is not one of this address.", "この宛先の要求ではありません。"),
    "urlMismatch": ("The request was signed for another address.", "署名された宛先が異なります。"),
    "serverInternal": ("The bank has a fault.", "当行のシステムに異常が発生しました。"),
    "unavailable": ("The bank is not available for the moment.", "ただいまご利用いただけません。"),
    "sessionEnded": ("The session has ended.", "ログオンの有効時間が終了しました。"),
    "sessionPurpose": ("This logon is not for this operation.", "このログオンでは行えない操作です。"),
    "notAuthorized": ("This is not permitted.", "この操作は許可されておりません。"),
    "certificateUnknown": ("The certificate is not known.", "登録のない電子証明書です。"),
    "certificateNotYetValid": ("The certificate is not valid yet.", "電子証明書の有効期間前です。"),
    "certificateExpired": ("The certificate has expired.", "電子証明書の有効期限が切れております。"),
    "certificateRevoked": ("The certificate was revoked.", "失効した電子証明書です。"),
    "certificateSuperseded": ("This certificate was renewed.", "更新済みの電子証明書です。"),
    "subjectDisabled": ("The service was stopped for this user.", "ご利用が停止されております。"),
    "environmentUnsupported": ("This environment is not supported.", "推奨環境ではありません。"),
    "tooEarly": ("The renewal is not open yet.", "更新可能期間前です。"),
    "orderExists": ("A renewal is open already.", "受付済みの更新手続きがあります。"),
    "replacesMismatch": ("The certificate to be replaced is another one.", "更新前の電子証明書が一致しません。"),
    "badCSR": ("The request for a certificate is not accepted.", "電子証明書の発行要求を受け付けできません。"),
    "keyReused": ("The key was used before.", "使用済みの鍵です。"),
    "keyStoreUnsupported": ("This key store is not accepted.", "この格納先はご利用いただけません。"),
    "issueFailed": ("The certificate could not be issued.", "電子証明書を発行できませんでした。"),
    "orderUnknown": ("No renewal has this key.", "この鍵による更新手続きはありません。"),
    "orderProcessing": ("The certificate is being issued.", "電子証明書の発行処理中です。"),
    "orderCompleted": ("The renewal is completed.", "更新手続きは完了しております。"),
    "orderCanceled": ("The renewal was canceled.", "更新手続きは中止されております。"),
    "orderInvalid": ("The renewal was ended.", "更新手続きは無効となりました。"),
    "keyMismatch": ("The renewal has another key.", "鍵がお手続きと一致しません。"),
    "predecessorExpired": ("The renewal can no longer be canceled.", "更新手続きを中止できません。"),
    "rollbackDisabled": ("This bank does not take renewals back.", "更新前の電子証明書に戻すお取り扱いはしておりません。"),
    "notSuperseded": ("The certificate was not renewed.", "更新されていない電子証明書です。"),
    "deferralRefused": ("There is no renewal to defer.", "延期できる更新手続きがありません。"),
    "notRenewable": ("This certificate is not up for renewal.", "更新の対象ではない電子証明書です。"),
}

REMEDIES = {
    "retry": ("Repeat it.", "もう一度お試しください。"),
    "wait": ("Wait and repeat it.", "時間をおいて、もう一度お試しください。"),
    "logon": ("Log on and look at what is open.", "ログオンして状況をご確認ください。"),
    "correct": ("Nothing was changed. Correct it; ask the provider of your software.", "お手続きの状態は変わっておりません。ソフトウェアの提供元にお問い合わせください。"),
    "resumeOrder": ("Resume the renewal that is open.", "受付済みの更新手続きを再開してください。"),
    "useSuccessor": ("Use the certificate that replaced it.", "新しい電子証明書をご利用ください。"),
    "usePredecessor": ("Use the certificate from before the renewal.", "更新前の電子証明書をご利用ください。"),
    "reissueByAdministrator": ("Ask an administrator of your contract to reissue it.", "契約法人の管理者に再発行をご依頼ください。"),
    "reissueAtBranch": ("Apply at your branch to have it reissued.", "お取引店の窓口にて再発行をお申し込みください。"),
    "updateEnvironment": ("Use one of the environments listed.", "推奨環境をご利用ください。"),
    "stop": ("Ask your administrator or the bank.", "管理者または当行にお問い合わせください。"),
}


def words(token, action, language, about=""):
    """(title, detail)."""
    place = 1 if language == "ja" else 0
    detail = REMEDIES[action][place]
    return TITLES[token][place], (about + " " if about else "") + detail
