/**
 * The instructions with which InstructOR's published scores were made, per size, task and side. Byte for byte as in the
 * authors' evaluation code, odd punctuation, spelling and final spaces included: each of them is part of the input, and
 * changing one changes every vector.
 *
 * Source: xlang-ai/instructor-embedding (Apache-2.0), evaluation/MTEB, evaluation/text_evaluation and
 * evaluation/prompt_retrieval. Tasks are named as in MTEB.
 */
import type { TaskPrompts } from "./types.ts";

export const INSTRUCTOR_BASE: Readonly<Record<string, TaskPrompts>> = {
  AmazonCounterfactualClassification: {
    text: "Represent an amazon sentence for classifying whether the sentence is counterfactual or not: ",
  },
  AmazonPolarityClassification: { text: "Represent the sentiment comment for retrieving a duplicate sentence: " },
  AmazonReviewsClassification: { text: "represent an amazon review sentence: " },
  ArguAna: {
    query: "Represent the Debate argument for retrieving a counter-argument: ",
    document: "Represent the Counter debate argument: ",
  },
  ArxivClusteringP2P: { text: "Represent the science passage for retrieval: " },
  ArxivClusteringS2S: { text: "Represent the science statement for retrieval: " },
  AskUbuntuDupQuestions: {
    query: "Represent the Ubuntu question for reranking: ",
    document: "Represent a Ubuntu question for reranking: ",
  },
  BIOSSES: { text: "Represent the Bio-medical statement: " },
  Banking77Classification: { text: "Represent the bank purpose for classification: " },
  BiorxivClusteringP2P: { text: "Represent the Bio-medicine passage for retrieval: " },
  BiorxivClusteringS2S: { text: "Represent the biomedical statement for retrieval: " },
  CQADupstackAndroidRetrieval: {
    query: "Represent the Android question for retrieving answers: ",
    document: "Represent the Android answer for retrieval: ",
  },
  CQADupstackEnglishRetrieval: {
    query: "Represent the English question for retrieving documents: ",
    document: "Represent the English answer for retrieval: ",
  },
  CQADupstackGamingRetrieval: {
    query: "Represent the Gaming question for retrieving answers: ",
    document: "Represent the Gaming answer for retrieval: ",
  },
  CQADupstackGisRetrieval: {
    query: "Represent the Gis question for retrieving answers: ",
    document: "Represent the Gis answer for retrieval: ",
  },
  CQADupstackMathematicaRetrieval: {
    query: "Represent the Mathematical question for retrieving answers: ",
    document: "Represent the Mathematical answer for retrieval: ",
  },
  CQADupstackPhysicsRetrieval: {
    query: "Represent the Physics question for retrieving answers: ",
    document: "Represent the Physics answer for retrieval: ",
  },
  CQADupstackProgrammersRetrieval: {
    query: "Represent the Programming question for retrieving answers: ",
    document: "Represent the Programming answer for retrieval: ",
  },
  CQADupstackStatsRetrieval: {
    query: "Represent the Statistical question for retrieving answers: ",
    document: "Represent the Statistical answer for retrieval: ",
  },
  CQADupstackTexRetrieval: {
    query: "Represent the question for retrieving answers: ",
    document: "Represent the answer for retrieval: ",
  },
  CQADupstackUnixRetrieval: {
    query: "Represent the Unix question for retrieving answers: ",
    document: "Represent the Unix answer for retrieval: ",
  },
  CQADupstackWebmastersRetrieval: {
    query: "Represent the Webmaster question for retrieving answers: ",
    document: "Represent the Webmaster answer: ",
  },
  CQADupstackWordpressRetrieval: {
    query: "Represent the Wordpress question for retrieving answers: ",
    document: "Represent the Wordpress answer for retrieval: ",
  },
  ClimateFEVER: {
    query: "Represent the Climate question for retrieving supporting documents: ",
    document: "Represent the document for retrieval: ",
  },
  DBPedia: {
    query: "Represent the Wikipedia sentence for retrieving supporting documents: ",
    document: "Represent the document for retrieval: ",
  },
  EmotionClassification: { text: "Represent an emotion sentence for classifying if the sentence is positive or not: " },
  FEVER: {
    query: "Represent the fact for retrieving supporting evidence: ",
    document: "Represent the evidence for retrieval: ",
  },
  FiQA2018: {
    query: "Represent the finance question for retrieving the supporting answers: ",
    document: "Represent the finance answer for retrieval: ",
  },
  HotpotQA: {
    query: "Represent the Wikipedia question for retrieving supporting documents: ",
    document: "Represent the document for retrieval: ",
  },
  ImdbClassification: { text: "Represent an amazon review sentence for classifying emotion as positive or negative: " },
  MSMARCO: {
    query: "Represent the question for retrieving supporting documents: ",
    document: "Represent the document for retrieval: ",
  },
  MTOPDomainClassification: { text: "represent a sentence; " },
  MTOPIntentClassification: {
    text: "Represent the sentence for determining its purpose as question_music, start_shuffle_music, get_call_time, get_reminder_location, is_true_recipes, ignore_call, get_contact_method, update_reminder, delete_alarm, set_default_provider_music, end_call, skip_track_music, create_timer, cancel_message, get_category_event, repeat_all_off_music, get_timer, add_time_timer, resume_music, add_to_playlist_music, update_reminder_location, set_rsvp_interested, pause_timer, update_timer, play_media, replay_music: ",
  },
  MassiveIntentClassification: {
    text: "represent the sentence for classifying its purpose asweather_query, audio_volume_other, iot_cleaning, datetime_query, lists_remove, lists_createoradd, datetime_convert, play_music, iot_hue_lightdim, calendar_remove, iot_coffee, general_greet, alarm_query, calendar_set, recommendation_locations, lists_query or email_query: ",
  },
  MassiveScenarioClassification: {
    text: "Represent a scene for determining the scene asplay, alarm, music, iot, audio, takeaway, datetime, recommendation, email, cooking, news or question answering: ",
  },
  MedrxivClusteringP2P: { text: "Represent the medicine paragraph for retrieval: " },
  MedrxivClusteringS2S: { text: "Represent the medicine statement for retrieving duplicate sentences: " },
  MindSmallReranking: {
    query: "Represent the news query for retrieving articles: ",
    document: "Represent the news article for retrieval: ",
  },
  NFCorpus: {
    query: "Represent the Medicine question for retrieving a relevant document: ",
    document: "Represent the medical document for retrieval: ",
  },
  NQ: {
    query: "Represent the Wikipedia question for retrieving supporting documents: ",
    document: "Represent the document for retrieval: ",
  },
  QuoraRetrieval: {
    query: "Represent the Quora question for retrieving duplicate questions: ",
    document: "Represent the Quora question for retrieving duplicate questions: ",
  },
  RedditClustering: { text: "represent a reddit community title: " },
  RedditClusteringP2P: { text: "represent a Reddit community passage: " },
  SCIDOCS: {
    query: "Represent a Science question for retrieving supporting papers: ",
    document: "Represent the Science paper: ",
  },
  "SICK-R": { text: "Represent the statement: " },
  STS12: { text: "Represent the statement, " },
  STS13: { text: "represent the statement, " },
  STS14: { text: "Represent the statement, " },
  STS15: { text: "Represent the post, " },
  STS16: { text: "Represent the post: " },
  STS17: { text: "Represent the sentence for classification: " },
  STS22: { text: "represent the statement: " },
  STSBenchmark: { text: "represent the statement: " },
  SciDocsRR: { query: "Represent the Scientific title: ", document: "Represent the Scientific document: " },
  SciFact: {
    query: "Represent a Scientific query for retrieving a supporting passage; ",
    document: "represent the Scientific passage for retrieval; ",
  },
  SprintDuplicateQuestions: { text: "represent the Sprint post for retrieving duplicate posts: " },
  StackExchangeClustering: { text: "Represent the question for retrieval: " },
  StackExchangeClusteringP2P: {
    text: "Represent the question and answer for retrieving duplicate question and answers: ",
  },
  StackOverflowDupQuestions: {
    query: "Represent the StackOverflow question: ",
    document: "Represent a StackOverflow question: ",
  },
  SummEval: { text: "Represent the news sentence for retrieval: " },
  TRECCOVID: {
    query: "Represent the Coronavirus question for retrieving supporting documents: ",
    document: "Represent the Coronavirus document for retrieval: ",
  },
  Touche2020: { query: "Represent a question: ", document: "Represent an argument: " },
  ToxicConversationsClassification: {
    text: "Represent a toxicity comment for classifying its toxicity as toxic or non-toxic: ",
  },
  TweetSentimentExtractionClassification: { text: "Represent a Twitter sentence for classification: " },
  TwentyNewsgroupsClustering: { text: "Represent the news comment for retrieval: " },
  TwitterSemEval2015: { text: "Represent the tweet post for retrieving duplicate comments: " },
  TwitterURLCorpus: { text: "represent a tweet post for retrieval: " },
  amazon: { text: "Represent the amazon review; Input: " },
  "civil-comments": { text: "Represent the civil comment; Input: " },
  cnndm: { text: "Represent a comment: " },
  "coda-title-generation": { text: "Represent the Scientific sentence; Input: " },
  mscoco: { text: "Represent the image caption: " },
  mt: { text: "Represent the statement: " },
  "multirc-answerability": { text: "Represent the Wikipedia sentence; Input: " },
};

export const INSTRUCTOR_LARGE: Readonly<Record<string, TaskPrompts>> = {
  AmazonCounterfactualClassification: { text: "Represent a counter-factual sentence for classification: " },
  AmazonPolarityClassification: { text: "Represent the sentiment comment for retrieving a duplicate sentence: " },
  AmazonReviewsClassification: { text: "Represent a review for classification: " },
  "AmazonReviewsClassification 42.12": { text: "Represent a review sentence for classification: " },
  ArguAna: {
    query: "Represent a Debate argument for retrieving a counter-argument: ",
    document: "Represent a Counter-argument: ",
  },
  ArxivClusteringP2P: { text: "Represent the science passage for retrieval: " },
  ArxivClusteringS2S: { text: "Represent the science statement for retrieval: " },
  AskUbuntuDupQuestions: {
    query: "Represent the Ubuntu question for reranking: ",
    document: "Represent the Ubuntu question for reranking: ",
  },
  BIOSSES: { text: "Represent the Bio-medical statement: " },
  Banking77Classification: { text: "Represent the bank purpose for classification: " },
  BiorxivClusteringP2P: { text: "Represent the Bio-medicine passage for retrieval: " },
  BiorxivClusteringS2S: { text: "Represent the biomedical statement for retrieval: " },
  CQADupstackAndroidRetrieval: {
    query: "Represent the Android question for retrieving answers: ",
    document: "Represent the Android answer for retrieval: ",
  },
  CQADupstackEnglishRetrieval: {
    query: "Represent the English question for retrieving documents: ",
    document: "Represent the English answer for retrieval: ",
  },
  CQADupstackGamingRetrieval: {
    query: "Represent the Gaming question for retrieving answers: ",
    document: "Represent the Gaming answer for retrieval: ",
  },
  CQADupstackGisRetrieval: {
    query: "Represent the Gis question for retrieving answers: ",
    document: "Represent the Gis answer for retrieval: ",
  },
  CQADupstackMathematicaRetrieval: {
    query: "Represent the Mathematical question for retrieving answers: ",
    document: "Represent the Mathematical answer for retrieval: ",
  },
  CQADupstackPhysicsRetrieval: {
    query: "Represent the Physics question for retrieving answers: ",
    document: "Represent the Physics answer for retrieval: ",
  },
  CQADupstackProgrammersRetrieval: {
    query: "Represent the Programming question for retrieving answers: ",
    document: "Represent the Programming answer for retrieval: ",
  },
  CQADupstackStatsRetrieval: {
    query: "Represent the Statistical question for retrieving answers: ",
    document: "Represent the Statistical answer for retrieval: ",
  },
  CQADupstackTexRetrieval: {
    query: "Represent the question for retrieving answers: ",
    document: "Represent the answer for retrieval: ",
  },
  CQADupstackUnixRetrieval: {
    query: "Represent the Unix question for retrieving answers: ",
    document: "Represent the Unix answer for retrieval: ",
  },
  CQADupstackWebmastersRetrieval: {
    query: "Represent the Webmaster question for retrieving answers: ",
    document: "Represent the Webmaster answer: ",
  },
  CQADupstackWordpressRetrieval: {
    query: "Represent the Wordpress question for retrieving answers: ",
    document: "Represent the Wordpress answer for retrieval: ",
  },
  ClimateFEVER: {
    query: "Represent the Climate question for retrieving supporting documents: ",
    document: "Represent the document for retrieval: ",
  },
  DBPedia: {
    query: "Represent the Wikipedia sentence for retrieving supporting documents: ",
    document: "Represent the document for retrieval: ",
  },
  EmotionClassification: { text: "Represent an emotion sentence for classifying the emotion: " },
  FEVER: {
    query: "Represent the fact for retrieving supporting evidence: ",
    document: "Represent the evidence for retrieval: ",
  },
  FiQA2018: {
    query: "Represent the finance question for retrieving the supporting answers: ",
    document: "Represent the finance answer for retrieval: ",
  },
  HotpotQA: {
    query: "Represent the Wikipedia question for retrieving supporting documents: ",
    document: "Represent the document for retrieval: ",
  },
  ImdbClassification: { text: "Represent a review sentence for classifying emotion as positive or negative: " },
  MSMARCO: {
    query: "Represent the question for retrieving supporting documents: ",
    document: "Represent the document for retrieval: ",
  },
  MTOPDomainClassification: { text: "Represent a sentence: " },
  MTOPIntentClassification: { text: "Represent the sentence for retrieval: " },
  MassiveIntentClassification: {
    text: "Represent the sentence for classifying the purpose as one of qa_maths, takeaway_order, weather_query, audio_volume_other, recommendation_movies, iot_cleaning, qa_stock, iot_hue_lighton, iot_hue_lightchange, alarm_remove, play_radio, transport_taxi, datetime_query, lists_remove, lists_createoradd, datetime_convert, play_music, iot_hue_lightdim, email_querycontact, qa_factoid, cooking_query, music_query, qa_currency, calendar_query, music_settings, music_dislikeness, audio_volume_mute, cooking_recipe, general_joke, play_game, news_query, recommendation_events, music_likeness, audio_volume_down, calendar_remove, iot_coffee, transport_traffic, iot_wemo_off, email_sendemail, iot_hue_lightup, social_query, social_post, iot_hue_lightoff, transport_query, general_greet, play_podcasts, alarm_query, calendar_set, alarm_set, transport_ticket, general_quirky, audio_volume_up, iot_wemo_on, qa_definition, recommendation_locations, play_audiobook, email_addcontact, takeaway_query, lists_query or email_query: ",
  },
  MassiveScenarioClassification: {
    text: "Represent the scene for classifying its scene as one of calendar, play, general, alarm, music, iot, audio, takeaway, datetime, recommendation, social, lists, email, transport, cooking, weather, news or qa: ",
  },
  MedrxivClusteringP2P: { text: "Represent the medicine paragraph for retrieval: " },
  MedrxivClusteringS2S: { text: "Represent the medicine statement for retrieving duplicate sentences: " },
  MindSmallReranking: {
    query: "Represent the news query for retrieving articles: ",
    document: "Represent the news article for retrieval: ",
  },
  NFCorpus: {
    query: "Represent the Medicine question for retrieving a relevant document: ",
    document: "Represent the medical document for retrieval: ",
  },
  NQ: {
    query: "Represent the Wikipedia question for retrieving supporting documents: ",
    document: "Represent the document for retrieval: ",
  },
  QuoraRetrieval: {
    query: "Represent the Quora question for retrieving duplicate questions: ",
    document: "Represent the Quora question for retrieving duplicate questions: ",
  },
  RedditClustering: { text: "represent a reddit community title: " },
  RedditClusteringP2P: { text: "represent a Reddit community passage: " },
  SCIDOCS: {
    query: "Represent a Science question for retrieving supporting papers: ",
    document: "Represent the Science paper: ",
  },
  "SICK-R": { text: "Represent the statement: " },
  STS12: { text: "Represent the statement: " },
  STS13: { text: "represent the statement: " },
  STS14: { text: "Represent the statement: " },
  STS15: { text: "Represent the statement: " },
  STS16: { text: "Represent the statement: " },
  STS17: { text: "Represent the sentence for classification: " },
  STS22: { text: "represent the statement: " },
  STSBenchmark: { text: "represent the statement: " },
  SciDocsRR: { query: "Represent the Scientific title: ", document: "Represent the Scientific document: " },
  SciFact: {
    query: "Represent a Scientific query for retrieving a supporting passage; ",
    document: "represent the Scientific passage for retrieval; ",
  },
  SprintDuplicateQuestions: { text: "represent the Sprint post for retrieving duplicate posts: " },
  StackExchangeClustering: { text: "Represent the question for retrieval: " },
  StackExchangeClusteringP2P: {
    text: "Represent the question and answer for retrieving duplicate question and answers: ",
  },
  StackOverflowDupQuestions: {
    query: "Represent the StackOverflow question: ",
    document: "Represent the StackOverflow question: ",
  },
  SummEval: { text: "Represent the news sentence for retrieval: " },
  TRECCOVID: {
    query: "Represent the Coronavirus question for retrieving supporting documents: ",
    document: "Represent the Coronavirus document for retrieval: ",
  },
  Touche2020: { query: "Represent a question: ", document: "Represent an argument: " },
  ToxicConversationsClassification: {
    text: "Represent a toxicity comment for classifying its toxicity as toxic or non-toxic: ",
  },
  TweetSentimentExtractionClassification: { text: "Represent a Tweet sentence for classification: " },
  TwentyNewsgroupsClustering: { text: "Represent the news comment for retrieval: " },
  TwitterSemEval2015: { text: "Represent the tweet post for retrieving duplicate comments: " },
  TwitterURLCorpus: { text: "represent a tweet post for retrieval: " },
  amazon: { text: "Represent the amazon review; Input: " },
  "civil-comments": { text: "Represent the civil comment; Input: " },
  cnndm: { text: "Represent a comment: " },
  "coda-title-generation": { text: "Represent the Scientific sentence; Input: " },
  mscoco: { text: "Represent the caption: " },
  mt: { text: "Represent the statement: " },
  "multirc-answerability": { text: "Represent the Wikipedia sentence; Input: " },
};

export const INSTRUCTOR_XL: Readonly<Record<string, TaskPrompts>> = {
  AmazonCounterfactualClassification: {
    text: "Represent Daily casual counter-sentences for categorization as correct-sentences or counter-sentences: ",
  },
  AmazonPolarityClassification: { text: "Represent the sentiment comment for retrieving a duplicate sentence: " },
  AmazonReviewsClassification: { text: "Represent an amazon review sentence to find the emoation; " },
  ArguAna: {
    query: "Represent Debating conversations to retrieve a counter-argument: ",
    document: "Represent counter-arguments: ",
  },
  ArxivClusteringP2P: { text: "Represent the science passage for retrieval: " },
  ArxivClusteringS2S: { text: "Represent the Science statements for retrieval: " },
  AskUbuntuDupQuestions: {
    query: "Represent the Ubuntu question to retrieve a duplicate question: ",
    document: "Represent the Ubuntu question: ",
  },
  BIOSSES: { text: "represent the Biological statement: " },
  Banking77Classification: { text: "Represent the bank77 purposes for retrieving its bank intent: " },
  BiorxivClusteringP2P: { text: "Represent the Biological passage for retrieval: " },
  BiorxivClusteringS2S: { text: "Represent the biological statement for retrieval; " },
  CQADupstackAndroidRetrieval: {
    query: "Represent the Android question for retrieving answers: ",
    document: "Represent the Android answer for retrieval: ",
  },
  CQADupstackEnglishRetrieval: {
    query: "Represent the English question for retrieving documents: ",
    document: "Represent the English answer for retrieval: ",
  },
  CQADupstackGamingRetrieval: {
    query: "Represent the Gaming question for retrieving answers: ",
    document: "Represent the Gaming answer for retrieval: ",
  },
  CQADupstackGisRetrieval: {
    query: "Represent the Gis question for retrieving answers: ",
    document: "Represent the Gis answer for retrieval: ",
  },
  CQADupstackMathematicaRetrieval: {
    query: "Represent the Mathematical question for retrieving answers: ",
    document: "Represent the Mathematical answer for retrieval: ",
  },
  CQADupstackPhysicsRetrieval: {
    query: "Represent the Physics question for retrieving answers: ",
    document: "Represent the Physics answer for retrieval: ",
  },
  CQADupstackProgrammersRetrieval: {
    query: "Represent the Programming question for retrieving answers: ",
    document: "Represent the Programming answer for retrieval: ",
  },
  CQADupstackStatsRetrieval: {
    query: "Represent the Statistical question for retrieving answers: ",
    document: "Represent the Statistical answer for retrieval: ",
  },
  CQADupstackTexRetrieval: {
    query: "Represent the question for retrieving answers: ",
    document: "Represent the answer for retrieval: ",
  },
  CQADupstackUnixRetrieval: {
    query: "Represent the Unix questions to retrieve a supporting answer: ",
    document: "Represent the Unix answers for retrieval: ",
  },
  CQADupstackWebmastersRetrieval: {
    query: "Represent the Webmaster question for retrieving answers: ",
    document: "Represent the Webmaster answer: ",
  },
  CQADupstackWordpressRetrieval: {
    query: "Represent the Wordpress question for retrieving answers: ",
    document: "Represent the Wordpress answer for retrieval: ",
  },
  ClimateFEVER: {
    query: "Represent the Climate question for retrieving supporting documents: ",
    document: "Represent the document for retrieval: ",
  },
  DBPedia: {
    query: "Represent the Wikipedia questions to retrieve a supporting document: ",
    document: "Represent the Wikipedia documents for retrieval: ",
  },
  EmotionClassification: { text: "Represent the amazon emotion sentence for classifying the emotion: " },
  FEVER: {
    query: "Represent the fact for retrieving supporting evidence: ",
    document: "Represent the evidence for retrieval: ",
  },
  FiQA2018: {
    query: "Represent the finance questions to retrieve a supporting answer: ",
    document: "Represent the finance answers for retrieval: ",
  },
  HotpotQA: {
    query: "Represent the Wikipedia question for retrieving supporting documents: ",
    document: "Represent the document for retrieval: ",
  },
  ImdbClassification: { text: "Represent a review sentence for classifying emotion as positive or negative: " },
  MSMARCO: {
    query: "Represent the question for retrieving supporting documents: ",
    document: "Represent the document for retrieval: ",
  },
  MTOPDomainClassification: { text: "represent a MTO sentence to retrieve the task intention: " },
  MTOPIntentClassification: { text: "Represent an mto sentence for retrieving its behind task intention: " },
  MassiveIntentClassification: {
    text: "Represent the sentence for categorizing its task intent as qa_maths, takeaway_order, audio_volume_other, recommendation_movies, iot_cleaning, qa_stock, or recommendation_locations: ",
  },
  MassiveScenarioClassification: { text: "represent an ms sentence for retrieving its intent: " },
  MedrxivClusteringP2P: { text: "Represent the Biological paragraph for retrieval: " },
  MedrxivClusteringS2S: { text: "Represent the Biological statement for clustering biological statements: " },
  MindSmallReranking: {
    query: "Represent the news query for retrieving articles: ",
    document: "Represent the news article for retrieval: ",
  },
  NFCorpus: {
    query: "Represent the nutrition facts to retrieve Public medical articles: ",
    document: "Represent the Public medical articles for retrieval: ",
  },
  NQ: {
    query: "Represent the Wikipedia question for retrieving supporting documents: ",
    document: "Represent the document for retrieval: ",
  },
  QuoraRetrieval: {
    query: "Represent the Quora question to retrieve question: ",
    document: "Represent the Quora question to retrieve question: ",
  },
  RedditClustering: { text: "represent the Reddit community title: " },
  RedditClusteringP2P: { text: "represent a Reddit community passage: " },
  SCIDOCS: {
    query: "Represent a Science question for retrieving supporting papers: ",
    document: "Represent the Science paper: ",
  },
  "SICK-R": { text: "Represent a post: " },
  STS12: { text: "represent texts, " },
  STS13: { text: "represent a casual post, " },
  STS14: { text: "Represent a post; " },
  STS15: { text: "Represent a posts,,, " },
  STS16: { text: "Represent posts: " },
  STS17: { text: "Represent a statement, " },
  STS22: { text: "represent the statement: " },
  STSBenchmark: { text: "represent posts, " },
  SciDocsRR: { query: "Represent the Science question: ", document: "Represent the Science document: " },
  SciFact: {
    query: "Represent the Scientific queries for retrieving a supporting passage: ",
    document: "represent the scientific paragraph for retrieval: ",
  },
  SprintDuplicateQuestions: { text: "represent the Sprint questions for retrieving relevant posts, " },
  StackExchangeClustering: { text: "Represent a question for retrieval: " },
  StackExchangeClusteringP2P: {
    text: "Represent the question and answer passage for retrieving relevant question and answer passages: ",
  },
  StackOverflowDupQuestions: {
    query: "Represent the StackOverflow question: ",
    document: "Represent the StackOverflow question: ",
  },
  SummEval: { text: "Represent the news statement for retrieval: " },
  TRECCOVID: {
    query: "Represent the Coronavirus questions to retrieve a supporting document: ",
    document: "Represent the Coronavirus documents for retrieval: ",
  },
  Touche2020: { query: "Represent questions: ", document: "Represent arguments: " },
  ToxicConversationsClassification: {
    text: "Represent a toxicity comment for classifying its toxicity as toxic or non-toxic: ",
  },
  TweetSentimentExtractionClassification: { text: "Represent Daily-life spoken sentences for categorization; Input: " },
  TwentyNewsgroupsClustering: { text: "Represent the news comment for clustering; " },
  TwitterSemEval2015: { text: "Represent the twitter post for retrieving comments: " },
  TwitterURLCorpus: { text: "represent a Twitter posts for retrieval: " },
  amazon: { text: "Represent the amazon review; Input: " },
  "civil-comments": { text: "Represent the civil comment; Input: " },
  cnndm: { text: "Represent a news comment: " },
  "coda-title-generation": { text: "Represent the Scientific sentence; Input: " },
  mscoco: { text: "Represent the image caption: " },
  mt: { text: "Represent the translation statement; " },
  "multirc-answerability": { text: "Represent the Wikipedia sentence; Input: " },
};
