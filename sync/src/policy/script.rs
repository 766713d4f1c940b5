//! Traditional characters that occur in the words of this field, with their simplified forms.
//!
//! A small table on purpose: it levels what writers and keyboards mix, it is no dictionary, and
//! characters with several simplified readings are left alone.

use std::sync::LazyLock;

/// First and last code point of the table.
const FIRST: u32 = 0x4e00;
const LAST: u32 = 0x9fff;

/// Pairs: the traditional character, then the simplified one.
const PAIRS: &str = "\
    並并來来個个們们備备傢家傳传債债傷伤價价償偿優优兒儿內内兩两冊册凍冻劃划劉刘劑剂動动務务\
    勝胜勞劳勢势勸劝匯汇區区協协參参員员問问單单嗎吗嘆叹嚇吓嚴严國国圍围園园圖图團团執执報报\
    場场塊块墊垫壓压壞坏壟垄壩坝壽寿夠够夢梦夥伙夾夹奮奋婦妇媽妈孫孙學学實实審审寫写寬宽寶宝\
    將将專专尋寻對对導导屆届屍尸層层屬属島岛嶺岭師师帳账帶带幀帧幣币幫帮幹干幾几庫库廁厕廈厦\
    廠厂廢废廣广廬庐廳厅張张強强彈弹彌弥彙汇後后徑径從从徵征態态慘惨慶庆憂忧憑凭懇恳應应懷怀\
    戰战戲戏戶户採采搧扇搶抢擁拥擇择擊击擔担據据擺摆擾扰攔拦攜携攤摊敗败數数斃毙斷断於于時时\
    晝昼暈晕暫暂書书會会條条楊杨極极樓楼標标樣样樹树橋桥機机檔档檢检歡欢歲岁歷历歸归殘残殺杀\
    氣气汙污決决沒没況况淚泪減减測测準准溫温滅灭滾滚滿满漢汉漸渐潔洁澤泽濕湿濟济瀏浏災灾為为\
    烏乌無无煙烟燈灯燒烧燙烫營营爺爷牆墙牽牵狀状猶犹獎奖獨独獲获現现環环產产畫画異异當当痺痹\
    瘋疯療疗癡痴癢痒癱瘫發发皺皱盡尽監监盤盘睏困確确碼码禍祸禮礼稅税種种穀谷積积穩稳窮穷竊窃\
    競竞筆笔筍笋節节範范築筑簡简簽签簾帘籌筹籤签糧粮糾纠紀纪約约紅红納纳級级紛纷細细終终組组\
    結结絕绝絡络給给統统絲丝經经綠绿維维網网緊紧線线練练縣县總总績绩織织繩绳繳缴繼继續续罰罚\
    罵骂罷罢羅罗習习聞闻聯联聲声職职聽听肅肃脅胁脫脱腦脑腫肿膠胶膽胆臉脸臨临與与興兴舉举舊旧\
    莊庄葉叶蓋盖蓮莲蕭萧薦荐藝艺藥药蘇苏蘭兰處处虛虚號号虧亏蟲虫術术衛卫裏里補补裝装裡里製制\
    複复褻亵襲袭見见規规視视親亲覺觉覽览觀观觸触訂订計计訊讯討讨訓训託托記记訟讼訪访設设許许\
    訴诉診诊評评詞词詢询試试話话該该詳详認认誤误說说誰谁課课調调談谈請请論论諾诺謀谋講讲謝谢\
    證证識识譚谭譯译議议護护譽誉讀读變变讓让豬猪貓猫財财貧贫貨货販贩責责買买貸贷費费貼贴賀贺\
    資资賊贼賓宾賣卖質质賬账賭赌賴赖賺赚購购贈赠贏赢贓赃趕赶趙赵跡迹踐践躍跃車车軍军軟软較较\
    載载輔辅輕轻輛辆輪轮輸输轉转轟轰辦办辭辞農农迴回這这連连週周進进遊游運运過过達达違违遞递\
    遠远適适遲迟遷迁選选遺遗還还邊边郵邮鄉乡鄧邓鄭郑鄰邻醫医釀酿釋释針针鈔钞鉤钩銀银銷销鋪铺\
    鋼钢錄录錢钱錯错鍵键鎖锁鎚锤鎮镇鏟铲鐘钟鐵铁鑰钥長长門门閉闭開开閒闲閱阅關关陣阵陰阴陳陈\
    陸陆陽阳隊队際际隨随險险隱隐雖虽雙双雜杂雞鸡離离難难雲云電电霧雾靈灵靜静韌韧順顺須须預预\
    頒颁頓顿領领頭头頸颈頻频題题額额顏颜願愿類类顧顾顯显風风飛飞飯饭飲饮飾饰養养餓饿餘余館馆\
    饑饥馬马駐驻駕驾騎骑騙骗驗验髒脏體体髮发鬆松鬚须鬥斗鬧闹魚鱼魯鲁鳥鸟鹽盐麗丽麥麦麼么點点\
    黨党齊齐龍龙";

static TABLE: LazyLock<Vec<char>> = LazyLock::new(|| {
    let mut table: Vec<char> = (FIRST..=LAST).filter_map(char::from_u32).collect();
    let mut pairs = PAIRS.chars();
    while let (Some(old), Some(new)) = (pairs.next(), pairs.next()) {
        if let Some(place) = table.get_mut((old as u32 - FIRST) as usize) {
            *place = new;
        }
    }
    table
});

/// The simplified form of a character, or the character itself.
pub fn simplified(c: char) -> char {
    let place = (c as u32).checked_sub(FIRST);
    place
        .and_then(|place| TABLE.get(place as usize))
        .map_or(c, |simple| *simple)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_map_and_others_stay() {
        assert_eq!(simplified('證'), '证');
        for c in ['证', 'a', '、', '龥'] {
            assert_eq!(simplified(c), c);
        }
        assert_eq!(PAIRS.chars().count() % 2, 0);
    }
}
